/**
 * The front-end's own API: pages, and calls passed on to the catalogue with the trace headers of the request.
 * Unlike the original, a failed call keeps its status: a fault that a mesh injects is seen as that fault, not as a 200.
 */
import {
  type CallResult,
  call,
  createService,
  HttpError,
  type Request,
  type Response,
  type Service,
  traceIdOf,
} from "@sock-shop/kit";
import { type PageFacts, renderHome, SCRIPT, STYLE } from "./pages.ts";

export interface FrontEndOptions {
  readonly version: "v1" | "v2";
  readonly pod: string;
  readonly catalogueUrl: string;
  readonly log?: (line: string) => void;
}

export function createFrontEnd(options: FrontEndOptions): Service {
  const facts = (request: Request): PageFacts => ({
    version: options.version,
    pod: options.pod,
    trace: traceIdOf(request.trace) ?? "none",
  });
  const home = (request: Request): Response => ({
    headers: {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "x-shop-version": options.version,
    },
    body: renderHome(facts(request)),
  });
  const toCatalogue = (request: Request) => passOn(`${options.catalogueUrl}${request.path}`, request, options.version);
  return createService({
    name: "front-end",
    ...(options.log === undefined ? {} : { log: options.log }),
    onError: (error) => ({
      status: error.status,
      headers: { "x-shop-version": options.version },
      json: { error: error.message },
    }),
    routes: [
      { method: "GET", path: "/", handle: home },
      { method: "GET", path: "/index.html", handle: home },
      {
        method: "GET",
        path: "/shop.css",
        handle: () => ({ headers: { "content-type": "text/css; charset=utf-8" }, body: STYLE }),
      },
      {
        method: "GET",
        path: "/shop.js",
        handle: () => ({ headers: { "content-type": "text/javascript; charset=utf-8" }, body: SCRIPT }),
      },
      {
        method: "GET",
        path: "/health",
        handle: () => ({
          headers: { "x-shop-version": options.version },
          json: { health: [{ service: "front-end", status: "OK", time: new Date().toISOString() }] },
        }),
      },
      { method: "GET", path: "/catalogue", handle: toCatalogue },
      { method: "GET", path: "/catalogue/*", handle: toCatalogue },
      { method: "GET", path: "/tags", handle: toCatalogue },
    ],
  });
}

async function passOn(url: string, request: Request, version: string): Promise<Response> {
  const search = request.query.size > 0 ? `?${request.query}` : "";
  let result: CallResult;
  try {
    result = await call(`${url}${search}`, { headers: { ...request.trace, accept: request.headers.accept ?? "*/*" } });
  } catch (cause) {
    throw new HttpError(502, "the catalogue does not answer", cause);
  }
  const headers: Record<string, string> = { "x-shop-version": version };
  for (const name of ["content-type", "cache-control"] as const) {
    const value = result.headers[name];
    if (value !== undefined) headers[name] = value;
  }
  return { status: result.status, headers, body: result.body };
}
