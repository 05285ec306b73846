/**
 * The differences that are meant to be, by class (docs/differences.md says why). A class names its cases, and checks that what was seen is what
 * the class says: a case that begins to differ in another way is unexplained again.
 */
import type { Where } from "./differences.ts";
import type { Outcome } from "./drive.ts";

export interface Seen {
  readonly name: string;
  readonly where: Where;
  readonly envoy: string;
  readonly own: string;
  /** Ours, whole. */
  readonly outcome: Outcome;
}

interface Class {
  readonly name: string;
  readonly cases: RegExp;
  /** Whether the difference is of this class. */
  holds(seen: Seen): boolean;
}

const refuses = ({ outcome }: Seen) =>
  outcome.upstream.length === 0 &&
  outcome.connection === "closed" &&
  outcome.log.length === 1 &&
  /^400 DPE /.test(outcome.log[0] ?? "");
const failsUpstream = ({ outcome }: Seen) => / UPE /.test(outcome.log[0] ?? "");

const LENIENT_REQUESTS = [
  "request line: (no version|two blanks before the (target|version)|blank after the version|tab after the method|leading bare (LF|CR))",
  "chunks: (extension with blanks|blank after the size|bare LF after the data|data too long|bare LF in the last line|size of 2\\^63)",
  "chunks: trailer (that frames|transfer-encoding|folded)",
  "field: ((CR|LF) in the value|bare (LF|CR) line end|obs-fold.*|CR CR LF|bare LF (everywhere|at the end|after the request line))",
  "length: length with a tab after",
  "host field: (two (equal|different)|absolute target and two)",
];
const LENIENT_RESPONSES = [
  "response: 101 that nobody wanted",
  "hostile response: (HTTP/2\\.0|HTTP/0\\.9|HTTP/1\\.2|bare LF|bare LF between fields|bare CR in a value|obs-fold)",
  "hostile response: (status (of (two|four) digits|099|000)|bad chunk size after data|chunk data too long|trailer that frames)",
  "upgrade: 101 without upgrade fields",
];
const anyOf = (patterns: readonly string[]) => new RegExp(`^(?:${patterns.join("|")})$`);

const CLASSES: readonly Class[] = [
  { name: "a malformed request is refused, not repaired", cases: anyOf(LENIENT_REQUESTS), holds: refuses },
  { name: "a malformed response is refused, not repaired", cases: anyOf(LENIENT_RESPONSES), holds: failsUpstream },
  {
    name: "details and log lines of broken messages",
    cases: /./,
    holds: ({ where, envoy, own }) =>
      where === "log" &&
      // The same status and flags with other details, or no line for a head that never ended.
      ((/ (DPE|UC) /.test(envoy) && envoy.slice(0, 7) === own.slice(0, 7)) ||
        (envoy === "0 DC downstream_remote_disconnect" && own === "")),
  },
  {
    name: "upgrades with a body, and how a tunnel's end is told",
    cases: /^(upgrade|CONNECT): |^response: until close, kept open$/,
    holds: ({ name, where, envoy, own }) =>
      where === "log"
        ? envoy.slice(0, 3) === own.slice(0, 3) || name === "upgrade: with a body"
        : /^upgrade: (with a body|chunked|answered 200 by the upstream)$/.test(name) ||
          (name.startsWith("CONNECT: ") && withoutLength(envoy) === withoutLength(own)),
  },
  {
    name: "the transport failure reason is told to the client",
    cases: /^(answer: shop \/closed.*|retry: connect failure)$/,
    holds: ({ where, envoy, own }) =>
      where === "responses" &&
      withoutLength(envoy) ===
        withoutLength(own.replace(", transport failure reason: delayed connect error: Connection refused", "")),
  },
  {
    name: "a client on loopback is named by its own address",
    cases: /^(trust (edge\d?|inside): |retry: asked for by the client, )/,
    holds: ({ where, envoy, own }) =>
      where === "upstream" && envoy.replace(/(x-forwarded-for: (?:.*,)?)[\d.]+$/gm, "$1127.0.0.1") === own,
  },
  {
    name: "equal fields stay lines of their own, and a length is written anew",
    cases:
      /^(trust (main|trusting): x-forwarded-for: .* \| x-forwarded-for|length: length with zeros|hop by hop: nominated content-length)/,
    holds: ({ where, envoy, own }) => where === "upstream" && merged(envoy) === merged(own),
  },
  {
    name: "trailers that route or frame are dropped",
    cases: /^chunks: trailer host$/,
    holds: ({ where, envoy, own }) => where === "upstream" && envoy.replace("\ntrailer host: evil", "") === own,
  },
  {
    name: "pipelined local replies are all given",
    cases: /^pipeline: local replies$/,
    holds: ({ where, envoy, own }) => where === "log" || own.startsWith(envoy),
  },
  {
    name: "HTTP/1.0 gets neither 100 nor an upgrade",
    cases: /^(expect|upgrade): HTTP\/1\.0$/,
    holds: ({ outcome }) => outcome.responses.length === 1,
  },
];

export function explain(seen: Seen): string | undefined {
  return CLASSES.find(({ cases, holds }) => cases.test(seen.name) && holds(seen))?.name;
}

function withoutLength(text: string): string {
  return text.replace(/^content-length: \d+\n/gm, "").replace(/^\[\w+\] /gm, "");
}

/** Values of equal names joined, lengths as numbers, framing forgotten: the same message. */
function merged(text: string): string {
  return text
    .replace(/^(x-forwarded-for: .*)\nx-forwarded-for: /gm, "$1,")
    .replace(/^content-length: 0*(?=\d)/gm, "content-length: ")
    .replace(/^(content-length: \d+|transfer-encoding: chunked)\n/gm, "")
    .replace(/^\[\w+\] /gm, "");
}
