/** Compares two outcomes of a case, and names the reason of a difference that is meant to be. */
import type { Case } from "./case.ts";
import type { Outcome } from "./drive.ts";
import type { Message } from "./messages.ts";

export interface Difference {
  readonly where: "responses" | "connection" | "upstream" | "log";
  readonly envoy: string;
  readonly own: string;
  /** A class of docs/differences.md; undefined: unexplained. */
  readonly reason: string | undefined;
}

export function differences(one: Case, envoy: Outcome, own: Outcome): readonly Difference[] {
  const found: Difference[] = [];
  const compare = (where: Difference["where"], a: string, b: string) => {
    if (a !== b) found.push({ where, envoy: a, own: b, reason: explain(one, where, a, b) });
  };
  compare("responses", messagesText(envoy.responses), messagesText(own.responses));
  compare("connection", envoy.connection, own.connection);
  compare("upstream", upstreamText(envoy), upstreamText(own));
  compare("log", envoy.log.join("\n"), own.log.join("\n"));
  return found;
}

export function messagesText(messages: readonly Message[]): string {
  return messages
    .map(({ start, fields, body, framing, trailers }) =>
      [start, ...fields, `[${framing}] ${JSON.stringify(body)}`, ...trailers.map((field) => `trailer ${field}`)].join("\n"),
    )
    .join("\n");
}

export function upstreamText(outcome: Outcome): string {
  return outcome.upstream.map(({ backend, requests }) => `${backend}:\n${messagesText(requests)}`).join("\n");
}

function explain(_one: Case, _where: Difference["where"], _envoy: string, _own: string): string | undefined {
  return undefined;
}
