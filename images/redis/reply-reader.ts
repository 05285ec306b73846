/** RESP2 replies from bytes in any pieces, and their form in redis-cli. */
export type ReceivedReply = string | number | null | Error | readonly ReceivedReply[];

export function createReplyReader(onReply: (reply: ReceivedReply) => void): { push(chunk: string): void } {
  let pending = "";
  return {
    push(chunk) {
      pending += chunk;
      for (;;) {
        const found = readReply(pending, 0);
        if (found === undefined) return;
        pending = pending.slice(found.end);
        onReply(found.reply);
      }
    },
  };
}

/** As redis-cli prints: with types on a terminal, bare otherwise. */
export function formatReply(reply: ReceivedReply, isTerminal: boolean, indent = ""): string {
  if (reply === null) return isTerminal ? "(nil)" : "";
  if (reply instanceof Error) return `(error) ${reply.message}`;
  if (typeof reply === "number") return isTerminal ? `(integer) ${reply}` : String(reply);
  if (typeof reply === "string") return isTerminal && !/^[A-Z]+$/.test(reply) ? JSON.stringify(reply) : reply;
  if (reply.length === 0) return isTerminal ? "(empty array)" : "";
  if (!isTerminal) return reply.map((item) => formatReply(item, false)).join("\n");
  return reply
    .map((item, i) => `${i === 0 ? "" : indent}${i + 1}) ${formatReply(item, true, `${indent}   `)}`)
    .join("\n");
}

function readReply(text: string, at: number): { readonly reply: ReceivedReply; readonly end: number } | undefined {
  const lineEnd = text.indexOf("\r\n", at);
  if (lineEnd === -1) return undefined;
  const line = text.slice(at + 1, lineEnd);
  const end = lineEnd + 2;
  switch (text[at]) {
    case "-":
      return { reply: new Error(line), end };
    case ":":
      return { reply: Number(line), end };
    case "$": {
      const length = Number(line);
      if (length < 0) return { reply: null, end };
      return text.length < end + length + 2
        ? undefined
        : { reply: text.slice(end, end + length), end: end + length + 2 };
    }
    case "*": {
      const items: ReceivedReply[] = [];
      let next = end;
      if (Number(line) < 0) return { reply: null, end };
      for (let i = 0; i < Number(line); i++) {
        const found = readReply(text, next);
        if (found === undefined) return undefined;
        items.push(found.reply);
        next = found.end;
      }
      return { reply: items, end: next };
    }
    default:
      return { reply: line, end };
  }
}
