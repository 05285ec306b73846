/** The catalogue as the original's front-end has it: passed through, with the catalogue's own status and body (the original makes every status a 200). */
import { HttpError, type Request, type Response, type Route } from "@sock-shop/kit";
import type { Backend } from "./backend.ts";

const KEPT_HEADERS = ["content-type", "cache-control", "etag", "retry-after"] as const;

export function catalogueRoutes(catalogue: Backend): readonly Route[] {
  const passOn = async (request: Request): Promise<Response> => {
    if (request.path.endsWith("/")) throw new HttpError(404, "not found");
    const search = request.query.size > 0 ? `?${request.query}` : "";
    const path = request.path
      .split("/")
      .map((part) => encodeURIComponent(safeDecode(part)))
      .join("/");
    const { status, headers, body } = await catalogue.ask(request, `${path}${search}`, {
      headers: { accept: request.headers.accept ?? "*/*" },
    });
    const kept: Record<string, string> = {};
    for (const name of KEPT_HEADERS) {
      const value = headers[name];
      if (typeof value === "string") kept[name] = value;
    }
    return { status, headers: kept, body };
  };
  return ["/catalogue", "/catalogue/*", "/tags"].map((path) => ({ method: "GET", path, handle: passOn }));
}

function safeDecode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
