/** The query parameters of writes: dryRun, fieldValidation, fieldManager, force. */
import { badRequest } from "./status.ts";

export interface WriteOptions {
  readonly isDryRun: boolean;
  readonly fieldValidation: "Strict" | "Warn" | "Ignore";
  readonly fieldManager: string;
  readonly force: boolean;
}

export function readWriteOptions(query: URLSearchParams, userAgent: string | undefined): WriteOptions {
  const dryRun = query.get("dryRun");
  if (dryRun !== null && dryRun !== "All" && dryRun !== "") {
    throw badRequest(`dryRun: Unsupported value: "${dryRun}": supported values: "All"`);
  }
  const fieldValidation = query.get("fieldValidation") || "Warn";
  if (fieldValidation !== "Strict" && fieldValidation !== "Warn" && fieldValidation !== "Ignore") {
    throw badRequest(
      `fieldValidation: Unsupported value: "${fieldValidation}": supported values: "Ignore", "Strict", "Warn"`,
    );
  }
  // Without a name, the program's: what stands before the first slash of User-Agent.
  const fieldManager = query.get("fieldManager") || (userAgent ?? "").split("/", 1)[0] || "unknown";
  return { isDryRun: dryRun === "All", fieldValidation, fieldManager, force: query.get("force") === "true" };
}
