/**
 * The Redis serialization protocol, versions 2 and 3, both directions, without I/O. https://redis.io/docs/latest/develop/reference/protocol-spec/
 * Text is latin1 throughout: one character a byte, so that keys and values are binary-safe and can still be compared and used as Map keys.
 */
export type Reply =
  | { readonly kind: "simple"; readonly text: string }
  | { readonly kind: "error"; readonly text: string }
  | { readonly kind: "integer"; readonly value: number | bigint }
  | { readonly kind: "double"; readonly value: number }
  /** null is RESP2's null bulk string and RESP3's null. */
  | { readonly kind: "bulk"; readonly text: string | null }
  /** null is RESP2's null array and RESP3's null. */
  | { readonly kind: "array"; readonly items: readonly Reply[] | null }
  | { readonly kind: "set"; readonly items: readonly Reply[] }
  | { readonly kind: "map"; readonly entries: readonly (readonly [Reply, Reply])[] }
  | { readonly kind: "push"; readonly items: readonly Reply[] }
  /** Several replies to one command, one after the other (SUBSCRIBE with several channels). */
  | { readonly kind: "sequence"; readonly replies: readonly Reply[] };

export type Protocol = 2 | 3;

export const OK: Reply = { kind: "simple", text: "OK" };
export const NULL: Reply = { kind: "bulk", text: null };
export const bulk = (text: string | null): Reply => ({ kind: "bulk", text });
export const integer = (value: number | bigint): Reply => ({ kind: "integer", value });
export const failure = (text: string): Reply => ({ kind: "error", text });
export const array = (items: readonly Reply[] | null): Reply => ({ kind: "array", items });
export const bulks = (texts: readonly (string | null)[]): Reply => array(texts.map(bulk));

export function encodeReply(reply: Reply, protocol: Protocol): string {
  switch (reply.kind) {
    case "simple":
      return `+${reply.text}\r\n`;
    case "error":
      return `-${reply.text}\r\n`;
    case "integer":
      return `:${reply.value}\r\n`;
    case "double":
      return protocol === 3 ? `,${formatDouble(reply.value)}\r\n` : encodeBulk(formatDouble(reply.value));
    case "bulk":
      return reply.text === null ? (protocol === 3 ? "_\r\n" : "$-1\r\n") : encodeBulk(reply.text);
    case "array":
      return reply.items === null ? (protocol === 3 ? "_\r\n" : "*-1\r\n") : encodeItems("*", reply.items, protocol);
    case "set":
      return encodeItems(protocol === 3 ? "~" : "*", reply.items, protocol);
    case "push":
      return encodeItems(protocol === 3 ? ">" : "*", reply.items, protocol);
    case "sequence":
      return reply.replies.map((each) => encodeReply(each, protocol)).join("");
    case "map": {
      const flat = reply.entries.flat();
      return protocol === 3
        ? `%${reply.entries.length}\r\n${flat.map((item) => encodeReply(item, protocol)).join("")}`
        : encodeItems("*", flat, protocol);
    }
  }
}

/** As Redis prints floats: no exponent below 1e17, no trailing zeroes. */
export function formatDouble(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "inf";
  if (value === Number.NEGATIVE_INFINITY) return "-inf";
  if (Number.isInteger(value) && Math.abs(value) < 1e17) return value.toFixed(0);
  return String(value);
}

function encodeBulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

function encodeItems(mark: string, items: readonly Reply[], protocol: Protocol): string {
  return `${mark}${items.length}\r\n${items.map((item) => encodeReply(item, protocol)).join("")}`;
}

export type Parsed =
  | { readonly kind: "command"; readonly args: readonly string[] }
  /** The connection answers with it and closes. */
  | { readonly kind: "error"; readonly text: string };

const MAX_ARGUMENTS = 1024 * 1024;
const MAX_BULK_BYTES = 512 * 1024 * 1024;
const MAX_INLINE_BYTES = 64 * 1024;

/** Reads commands (arrays of bulk strings, or inline lines) from bytes that arrive in any pieces. */
export function createCommandReader(): { push(chunk: string): readonly Parsed[] } {
  let pending = "";
  let args: string[] = [];
  let wanted = 0;
  let bulkLength = -1;
  let isBroken = false;

  const next = (): Parsed | "more" | "again" => {
    if (bulkLength >= 0) {
      if (pending.length < bulkLength + 2) return "more";
      args.push(pending.slice(0, bulkLength));
      pending = pending.slice(bulkLength + 2);
      bulkLength = -1;
      if (args.length < wanted) return "again";
      const command: Parsed = { kind: "command", args };
      args = [];
      wanted = 0;
      return command;
    }
    const end = pending.indexOf("\n");
    if (end === -1) {
      return pending.length > MAX_INLINE_BYTES
        ? { kind: "error", text: `ERR Protocol error: too big ${wanted > 0 ? "bulk count string" : "inline request"}` }
        : "more";
    }
    const line = pending.slice(0, pending[end - 1] === "\r" ? end - 1 : end);
    pending = pending.slice(end + 1);
    if (wanted > 0) {
      if (!line.startsWith("$"))
        return { kind: "error", text: `ERR Protocol error: expected '$', got '${line[0] ?? ""}'` };
      bulkLength = readLength(line, MAX_BULK_BYTES);
      return bulkLength < 0 ? { kind: "error", text: "ERR Protocol error: invalid bulk length" } : "again";
    }
    if (line.startsWith("*")) {
      if (/^\*(-\d+|0)$/.test(line)) return "again";
      wanted = readLength(line, MAX_ARGUMENTS);
      return wanted < 0 ? { kind: "error", text: "ERR Protocol error: invalid multibulk length" } : "again";
    }
    const words = splitInline(line);
    if (words === undefined) return { kind: "error", text: "ERR Protocol error: unbalanced quotes in request" };
    return words.length === 0 ? "again" : { kind: "command", args: words };
  };

  return {
    push(chunk) {
      pending += chunk;
      const parsed: Parsed[] = [];
      while (!isBroken) {
        const step = next();
        if (step === "more") break;
        if (step === "again") continue;
        parsed.push(step);
        isBroken = step.kind === "error";
      }
      return parsed;
    },
  };
}

function readLength(line: string, max: number): number {
  const value = /^.\d{1,10}$/.test(line) ? Number(line.slice(1)) : -1;
  return value <= max ? value : -1;
}

/** Words of an inline command, with redis-cli's quoting; undefined when a quote does not close. */
export function splitInline(line: string): string[] | undefined {
  const words: string[] = [];
  const rest = line.trim();
  const pattern = /\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"']+)(?=\s|$)/y;
  while (pattern.lastIndex < rest.length) {
    const match = pattern.exec(rest);
    const word = match?.[1];
    if (word === undefined) return undefined;
    words.push(
      word.startsWith('"')
        ? unescapeDouble(word.slice(1, -1))
        : word.startsWith("'")
          ? word.slice(1, -1).replaceAll("\\'", "'")
          : word,
    );
  }
  return words;
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", b: "\b", a: "\x07" };

function unescapeDouble(text: string): string {
  return text.replace(/\\(x[0-9a-fA-F]{2}|.)/g, (_, code: string) =>
    code.length === 3 ? String.fromCharCode(Number.parseInt(code.slice(1), 16)) : (ESCAPES[code] ?? code),
  );
}
