/** JSON Patch, RFC 6902, with Kubernetes' answers for a patch that is malformed (400) or does not fit (422). */
import { describeError } from "@argyle/core";
import jsonPatch from "fast-json-patch";
import { cloneJson } from "../json.ts";
import { badRequest, failure } from "../status.ts";

const MAX_OPERATIONS = 10_000;

export function applyJsonPatch(target: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw badRequest("a JSON patch must be a list of operations");
  if (patch.length > MAX_OPERATIONS) {
    const message = `The allowed maximum operations in a JSON patch is ${MAX_OPERATIONS}, got ${patch.length}`;
    throw failure(413, "RequestEntityTooLarge", message);
  }
  try {
    const operations = patch as Parameters<typeof jsonPatch.applyPatch>[1];
    return jsonPatch.applyPatch(cloneJson(target), operations, true).newDocument;
  } catch (error) {
    // The library's messages go on for pages with the whole document: the first line says it.
    const why = describeError(error).split("\n", 1)[0] ?? "";
    throw failure(422, "Invalid", `the server rejected our request due to an error in our request: ${why}`, {
      causes: [{ message: why }],
    });
  }
}
