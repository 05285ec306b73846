/** One exchange of the differential run, as data. */
export interface Case {
  readonly name: string;
  /** A key of the bootstrap's listeners. Default: `main`. */
  readonly listener?: string;
  /** What the client sends. Text is latin1; a wait lets the next piece go when the text has been received. */
  readonly send: readonly (string | { readonly after: string })[];
  /** What a backend answers to the first, second … request that it was sent in this case; the last one is repeated. */
  readonly answers?: readonly Answer[];
  /** The case is over when nothing came for this long. */
  readonly quietMs?: number;
  /** The client ends its side after the last piece. */
  readonly halfCloses?: boolean;
}

export interface Answer {
  /** Raw bytes, sent piece by piece. */
  readonly pieces: readonly string[];
  /** `request` (default): when the request was read whole. `head`: when its head was. `connection`: before anything came. */
  readonly when?: "request" | "head" | "connection";
  readonly closing?: "keep" | "end" | "reset";
}

/** `name`s made unique by their group: what a report and the recorded expectations call a case. */
export function group(prefix: string, cases: readonly Case[]): readonly Case[] {
  return cases.map((one) => ({ ...one, name: `${prefix}: ${one.name}` }));
}

export function get(path: string, headers: readonly string[] = [], host = "shop"): string {
  return [`GET ${path} HTTP/1.1`, `Host: ${host}`, ...headers, "", ""].join("\r\n");
}

export function post(path: string, headers: readonly string[], body: string): string {
  return [`POST ${path} HTTP/1.1`, "Host: shop", ...headers, "", body].join("\r\n");
}

export function answer(head: readonly string[], body = "", closing: Answer["closing"] = "keep"): Answer {
  return { pieces: [[...head, "", body].join("\r\n")], closing };
}
