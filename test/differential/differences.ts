/** Compares two outcomes of a case. */
import type { Case } from "./case.ts";
import type { Outcome } from "./drive.ts";
import { explain } from "./explained.ts";
import type { Message } from "./messages.ts";

export type Where = "responses" | "connection" | "upstream" | "log";

export interface Difference {
  readonly where: Where;
  readonly envoy: string;
  readonly own: string;
  /** A class of docs/differences.md; undefined: unexplained. */
  readonly reason: string | undefined;
}

export function differences(one: Case, envoy: Outcome, own: Outcome): readonly Difference[] {
  const found: Difference[] = [];
  const compare = (where: Where, a: string, b: string) => {
    if (a !== b)
      found.push({
        where,
        envoy: a,
        own: b,
        reason: explain({ name: one.name, where, envoy: a, own: b, outcome: own }),
      });
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
      [start, ...fields, `[${framing}] ${JSON.stringify(body)}`, ...trailers.map((field) => `trailer ${field}`)].join(
        "\n",
      ),
    )
    .join("\n");
}

export function upstreamText(outcome: Outcome): string {
  return outcome.upstream.map(({ backend, requests }) => `${backend}:\n${messagesText(requests)}`).join("\n");
}
