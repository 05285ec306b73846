/** Istio's sample tokens: each is read, and its signature checked with the keys beside it; whether it is in time is another question. */
import { parseJwks, verifySignature } from "../../packages/proxy/src/filters/jwt/jwks.ts";
import { JWT_STATUS } from "../../packages/proxy/src/filters/jwt/status.ts";
import { parseToken } from "../../packages/proxy/src/filters/jwt/token.ts";
import { type Case, difference, judge, type Verdict } from "./case.ts";
import type { PeerFolder } from "./peer-folder.ts";

interface Sample {
  readonly token: string;
  readonly payload?: unknown;
  readonly verified?: boolean;
}

export async function* replay(dir: PeerFolder): AsyncGenerator<Case> {
  const keys = parseJwks(dir.text("jwks.json"));
  for (const [name, sample] of Object.entries(dir.json("tokens.json") as Readonly<Record<string, Sample>>))
    yield await judge(name, () => verdictOf(sample, keys));
  dir.countAsInputs();
}

function verdictOf(sample: Sample, keys: ReturnType<typeof parseJwks>): Verdict {
  if (typeof keys === "string") return [keys];
  const token = parseToken(sample.token);
  if (typeof token === "string") return difference("verified", false, sample.verified ?? false);
  return [
    ...difference("verified", verifySignature(token, keys) === JWT_STATUS.ok, sample.verified ?? false),
    ...(sample.payload === undefined ? [] : difference("payload", token.payload, sample.payload)),
  ];
}
