/** Paths that are no resources: discovery, OpenAPI, version, health, metrics, the token issuer's keys. */
import { KUBERNETES_VERSION } from "@argyle/core";
import type { Call } from "../context.ts";
import { aggregatedDiscovery, coreVersions, groupList, oneGroup, resourceList } from "../discovery.ts";
import { buildJwks, buildOpenIdConfiguration } from "../jwt.ts";
import { sendJson, sendText } from "../respond.ts";
import { unknownPath } from "../status.ts";

/** Answers the path and returns true, or returns false for a path that is somebody else's. */
export function serveNonResource(call: Call, path: string, serverUrl: string, metrics: () => string): boolean {
  const { response, context } = call;
  switch (path) {
    case "/version":
      sendJson(response, { ...KUBERNETES_VERSION, ...BUILD });
      return true;
    case "/metrics":
      sendText(response, 200, metrics(), "text/plain; version=0.0.4; charset=utf-8");
      return true;
    case "/openapi/v2":
      // An empty document: kubectl before 1.27, and any kubectl for a kind that is not served, wants one, and leaves the checking to us then.
      sendText(response, 200, "", "application/com.github.proto-openapi.spec.v2.v1.0+protobuf");
      return true;
    case "/openid/v1/jwks":
      sendJson(response, buildJwks(context.pki.serviceAccountKey), "application/jwk-set+json");
      return true;
    case "/.well-known/openid-configuration":
      sendJson(response, buildOpenIdConfiguration(serverUrl));
      return true;
    case "/api":
    case "/apis":
      serveRoots(call, path === "/api", serverUrl);
      return true;
    case "/":
      sendJson(response, {
        paths: ["/api", "/apis", "/healthz", "/livez", "/metrics", "/openapi/v3", "/readyz", "/version"],
      });
      return true;
  }
  if (path === "/openapi/v3" || path.startsWith("/openapi/v3/")) return serveOpenApi(call, path);
  const parts = path.split("/").filter((part) => part !== "");
  const [root, first = "", second] = parts;
  if (root === "api" && parts.length === 2) return sendIfServed(call, resourceList("", first));
  if (root === "apis" && parts.length === 2) return sendIfServed(call, oneGroup(first));
  if (root === "apis" && parts.length === 3) return sendIfServed(call, resourceList(first, second ?? ""));
  return false;
}

const BUILD = {
  gitCommit: "",
  gitTreeState: "clean",
  buildDate: "2026-01-01T00:00:00Z",
  goVersion: `node ${process.version}`,
  compiler: "node",
  platform: `${process.platform === "win32" ? "windows" : process.platform}/${process.arch === "x64" ? "amd64" : process.arch}`,
};

const healthPaths = /^\/(healthz|readyz|livez)(\/[\w-]+)?$/;

export function isHealthPath(path: string): boolean {
  return healthPaths.test(path);
}

/** May be asked without credentials. */
export function isOpenPath(path: string): boolean {
  return isHealthPath(path) || path === "/version";
}

function sendIfServed(call: Call, body: object | undefined): boolean {
  if (body === undefined) throw unknownPath();
  sendJson(call.response, body);
  return true;
}

function serveRoots(call: Call, isCore: boolean, serverUrl: string): void {
  const accept = call.request.headers.accept ?? "";
  call.response.setHeader("vary", "Accept");
  for (const entry of accept.split(",")) {
    const parameters = entry.split(";").map((part) => part.trim());
    const version = parameters.find((p) => p === "v=v2" || p === "v=v2beta1")?.slice(2);
    const isAggregated = parameters.includes("as=APIGroupDiscoveryList") && parameters[0] === "application/json";
    if (!isAggregated || version === undefined) continue;
    const type = `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
    sendJson(call.response, aggregatedDiscovery(isCore, version), type);
    return;
  }
  sendJson(call.response, isCore ? coreVersions(new URL(serverUrl).host) : groupList());
}

/** With the hash in its URL a document never changes: kubectl keeps it on disk and asks for the index only. */
function serveOpenApi(call: Call, path: string): boolean {
  const { schemas, clock } = call.context;
  const { response } = call;
  if (path === "/openapi/v3") {
    sendJson(response, schemas.openApiIndex());
    return true;
  }
  const document = schemas.openApiDocument(path.slice("/openapi/v3/".length));
  if (document === undefined) throw unknownPath();
  const etag = `"${document.hash}"`;
  response.setHeader("etag", etag);
  response.setHeader("vary", "Accept");
  if (call.query.get("hash") === document.hash) {
    response.setHeader("cache-control", "public");
    response.setHeader("expires", new Date(clock.now() + 365 * 86_400_000).toUTCString());
  }
  if (call.request.headers["if-none-match"] === etag) {
    response.statusCode = 304;
    response.end();
    return true;
  }
  sendText(response, 200, document.json, "application/json");
  return true;
}
