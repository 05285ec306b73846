/** https://datatracker.ietf.org/doc/html/draft-kelly-json-hal */
import type { Response } from "./http.ts";

export function hal(body: object, status = 200): Response {
  return { status, headers: { "content-type": "application/hal+json" }, body: JSON.stringify(body) };
}
