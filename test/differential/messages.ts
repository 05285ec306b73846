/**
 * Takes a stream of HTTP/1 messages apart for comparison: start line, fields in the order of their names, body without its chunking. It is
 * lenient on purpose and keeps what it cannot read as raw text, since its input may be what a broken peer sent.
 */
export interface Message {
  readonly start: string;
  /** `name: value`, lower-case names, sorted by name; equal names keep their order. */
  readonly fields: readonly string[];
  readonly body: string;
  readonly framing: "none" | "length" | "chunked" | "rest";
  readonly trailers: readonly string[];
}

export function parseMessages(text: string, kind: "request" | "response", isHead = false): readonly Message[] {
  const messages: Message[] = [];
  let rest = text;
  while (rest !== "") {
    const end = rest.indexOf("\r\n\r\n");
    if (end === -1) {
      messages.push({ start: `<raw> ${rest}`, fields: [], body: "", framing: "none", trailers: [] });
      break;
    }
    const [start = "", ...lines] = rest.slice(0, end).split("\r\n");
    rest = rest.slice(end + 4);
    const message = { start, fields: sortedFields(lines) };
    const body = takeBody(rest, message.start, lines, kind, isHead);
    messages.push({ ...message, ...body.message });
    rest = rest.slice(body.length);
  }
  return messages;
}

type Body = { readonly length: number; readonly message: Pick<Message, "body" | "framing" | "trailers"> };

function takeBody(text: string, start: string, lines: readonly string[], kind: string, isHead: boolean): Body {
  const status = kind === "response" ? Number(start.split(" ")[1]) : 0;
  const none = { length: 0, message: { body: "", framing: "none", trailers: [] } } as const;
  const rest = { length: text.length, message: { body: text, framing: "rest", trailers: [] } } as const;
  if (status === 101 || start.startsWith("CONNECT ")) return rest;
  if (isHead || (status >= 100 && status < 200) || status === 204 || status === 304) return none;
  const value = (name: string) =>
    lines
      .find((line) => line.toLowerCase().startsWith(`${name}:`))
      ?.slice(name.length + 1)
      .trim();
  if (value("transfer-encoding")?.toLowerCase() === "chunked") return takeChunks(text);
  const length = value("content-length");
  if (length !== undefined) {
    const body = text.slice(0, Number(length));
    const cut = body.length < Number(length) ? `<cut at ${body.length} of ${length}>` : "";
    return { length: body.length, message: { body: body + cut, framing: "length", trailers: [] } };
  }
  return kind === "response" ? rest : none;
}

function takeChunks(text: string): Body {
  let at = 0;
  let body = "";
  for (;;) {
    const line = /^([0-9a-f]+)[^\r]*\r\n/i.exec(text.slice(at));
    if (line === null) break;
    at += line[0].length;
    const size = Number.parseInt(line[1] ?? "0", 16);
    if (size === 0) {
      const end = text.indexOf("\r\n\r\n", at - 2);
      if (end === -1) break;
      const trailers = sortedFields(text.slice(at, end).split("\r\n").filter(Boolean));
      return { length: end + 4, message: { body, framing: "chunked", trailers } };
    }
    body += text.slice(at, at + size);
    at += size + 2;
    if (at > text.length) break;
  }
  return { length: text.length, message: { body: `${body}<cut>`, framing: "chunked", trailers: [] } };
}

function sortedFields(lines: readonly string[]): readonly string[] {
  const fields = lines.map((line) => {
    const colon = line.indexOf(":");
    return colon === -1 ? line : `${line.slice(0, colon).toLowerCase()}: ${line.slice(colon + 1).trim()}`;
  });
  return fields.toSorted((a, b) => Number(nameOf(a) > nameOf(b)) - Number(nameOf(a) < nameOf(b)));
}

function nameOf(field: string): string {
  return field.slice(0, field.indexOf(":"));
}
