/** What is kept of an outcome for the replay without Envoy: the gist to read, and a digest of all of it. */
import { createHash } from "node:crypto";
import { messagesText, upstreamText } from "./differences.ts";
import type { Outcome } from "./drive.ts";

export type Expectation = readonly [gist: string, digest: string];

export function expectationOf(outcome: Outcome): Expectation {
  const statuses = outcome.responses.map(({ start }) => start.split(" ")[1] ?? start).join(" ");
  const arrived = outcome.upstream.map(
    ({ backend, requests }) => `${backend} ${requests.map(({ start }) => start.slice(0, 40)).join(" | ")}`,
  );
  const all = [messagesText(outcome.responses), outcome.connection, upstreamText(outcome), ...outcome.log].join("\n");
  return [
    [`${statuses || "nothing"}, ${outcome.connection}`, ...arrived].join("; "),
    createHash("sha256").update(all, "latin1").digest("hex").slice(0, 12),
  ];
}
