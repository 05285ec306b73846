/** Node's own HTTP/1 parser (llhttp, strict), as a second opinion: what it makes of bytes, without a socket. */
import { createRequire } from "node:module";

interface NodeParser {
  initialize(type: number, resource: object): void;
  execute(buffer: Buffer): number | Error;
  close(): void;
  [callback: number]: (...args: never[]) => unknown;
}
interface NodeParserClass {
  new (): NodeParser;
  readonly REQUEST: number;
  readonly RESPONSE: number;
  readonly kOnHeadersComplete: number;
  readonly kOnBody: number;
  readonly kOnMessageComplete: number;
}

export interface NodeMessage {
  readonly method: string;
  readonly target: string;
  readonly status: number;
  body: string;
  isComplete: boolean;
}

const common: { readonly HTTPParser: NodeParserClass; readonly methods: readonly string[] } = createRequire(
  import.meta.url,
)("_http_common");
const { HTTPParser } = common;

export const NODE_METHODS: ReadonlySet<string> = new Set(common.methods);

/** The messages up to the first error. */
export function parseWithNode(
  bytes: Buffer,
  kind: "request" | "response",
): { readonly messages: readonly NodeMessage[]; readonly error: string | undefined } {
  const messages: NodeMessage[] = [];
  const parser = new HTTPParser();
  parser.initialize(kind === "request" ? HTTPParser.REQUEST : HTTPParser.RESPONSE, {});
  const onHeaders = (
    _major: number,
    _minor: number,
    _headers: readonly string[] | undefined,
    method: number,
    url: string,
    status: number,
  ): number => {
    messages.push({
      method: common.methods[method] ?? "",
      target: url ?? "",
      status: status ?? 0,
      body: "",
      isComplete: false,
    });
    return 0;
  };
  parser[HTTPParser.kOnHeadersComplete] = onHeaders as (...args: never[]) => unknown;
  parser[HTTPParser.kOnBody] = ((piece: Buffer) => {
    const last = messages.at(-1);
    if (last !== undefined) last.body += piece.toString("latin1");
  }) as (...args: never[]) => unknown;
  parser[HTTPParser.kOnMessageComplete] = (() => {
    const last = messages.at(-1);
    if (last !== undefined) last.isComplete = true;
  }) as (...args: never[]) => unknown;
  const result = parser.execute(Buffer.from(bytes));
  // Nothing else frees it.
  parser.close();
  return { messages, error: result instanceof Error ? ((result as NodeJS.ErrnoException).code ?? "error") : undefined };
}
