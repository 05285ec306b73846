/**
 * Questions that are posted and answered: who am I, may I, is this token good. Nothing is stored.
 * Everybody who is authenticated may do everything, and the answers say so.
 */
import { REVIEWS, type Resource } from "@argyle/kube-types";
import { decodeBody, readBody } from "../body.ts";
import type { Call, Reply } from "../context.ts";
import { type JsonObject, listOf, objectOf, textAt } from "../json.ts";
import { badRequest, methodNotAllowed } from "../status.ts";

/** The review that a path means, `/apis/GROUP/VERSION[/namespaces/NS]/PLURAL`, or undefined. */
export function findReview(path: string): Resource | undefined {
  const parts = path.split("/").filter((part) => part !== "");
  if (parts[0] !== "apis") return undefined;
  const tail = parts[3] === "namespaces" ? parts.slice(5) : parts.slice(3);
  if (tail.length !== 1) return undefined;
  return REVIEWS.find((r) => r.group === parts[1] && r.versions.includes(parts[2] ?? "") && r.plural === tail[0]);
}

export async function answerReview(call: Call, review: Resource): Promise<Reply> {
  if (call.request.method !== "POST") throw methodNotAllowed(call.request.method ?? "");
  const body = decodeBody(await readBody(call.request), call.request.headers["content-type"]);
  if (body === undefined) throw badRequest("the request has no body");
  const answer = {
    ...body,
    kind: review.kind,
    apiVersion: `${review.group}/${review.versions[0] ?? "v1"}`,
    metadata: { creationTimestamp: null, ...objectOf(body.metadata) },
    status: statusOf(call, review, body),
  };
  return { kind: "json", code: 201, body: answer };
}

function statusOf(call: Call, review: Resource, body: JsonObject): JsonObject {
  switch (review.kind) {
    case "SelfSubjectReview":
      return { userInfo: call.user };
    case "SelfSubjectRulesReview":
      return {
        resourceRules: [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] }],
        nonResourceRules: [{ verbs: ["*"], nonResourceURLs: ["*"] }],
        incomplete: false,
      };
    case "TokenReview": {
      const audiences = listOf(objectOf(body.spec).audiences).filter((a) => typeof a === "string");
      const found = call.context.authenticator.fromToken(textAt(body, "spec", "token") ?? "", audiences);
      if (found === undefined) return { user: {}, error: "the token is not valid, or not for these audiences" };
      return { authenticated: true, user: found.identity, audiences: found.audiences };
    }
    default:
      return { allowed: true, reason: "every authenticated user may do everything" };
  }
}
