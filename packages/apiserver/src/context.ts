/** What every route gets: the server's parts, and one request. */
import type { IncomingHttpHeaders } from "node:http";
import type { Clock, Logger } from "@argyle/core";
import type { KubeObject, Resource, Schemas } from "@argyle/kube-types";
import type { Admission } from "./admission/chain.ts";
import type { Authenticator, Identity } from "./authn.ts";
import type { DialService } from "./options.ts";
import type { ClusterPki } from "./pki.ts";
import type { Target } from "./request-target.ts";
import type { Store } from "./storage.ts";
import type { ServiceAllocator } from "./strategy/service-allocator.ts";
import type { WatchHub } from "./watch-hub.ts";

export interface ServerContext {
  readonly store: Store;
  readonly hub: WatchHub;
  readonly schemas: Schemas;
  readonly admission: Admission;
  readonly allocator: ServiceAllocator;
  readonly authenticator: Authenticator;
  readonly pki: ClusterPki;
  readonly clock: Clock;
  readonly log: Logger;
  readonly dialService: DialService;
}

/** What a route needs to know of a request: node:http's, or one of loopback.ts. */
export interface ApiRequest extends AsyncIterable<unknown> {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly complete: boolean;
  readonly destroyed: boolean;
}

/** What a route may do with the answer. */
export interface ApiResponse {
  statusCode: number;
  readonly headersSent: boolean;
  readonly destroyed: boolean;
  /** What was written and nobody has read yet. */
  readonly writableLength: number;
  getHeader(name: string): number | string | readonly string[] | undefined;
  setHeader(name: string, value: number | string | readonly string[]): unknown;
  writeHead(code: number, headers: Readonly<Record<string, string>>): unknown;
  flushHeaders(): void;
  /** Between the two, what is written is held back. */
  cork(): void;
  uncork(): void;
  write(text: string): unknown;
  end(text?: string): unknown;
  destroy(): unknown;
  on(event: "close", listener: () => void): unknown;
}

export interface Call {
  readonly context: ServerContext;
  readonly request: ApiRequest;
  readonly response: ApiResponse;
  readonly query: URLSearchParams;
  readonly user: Identity;
  /** Texts that become `Warning: 299 - "…"` headers. */
  readonly warnings: string[];
}

export interface ResourceCall extends Call {
  readonly target: Target;
}

/** What a route answers; the server writes it. `taken` means that the route writes the response itself. */
export type Reply =
  | { readonly kind: "object"; readonly code: number; readonly object: KubeObject; readonly resource: Resource }
  | { readonly kind: "list"; readonly items: readonly KubeObject[]; readonly revision: number }
  | { readonly kind: "json"; readonly code: number; readonly body: unknown }
  | { readonly kind: "taken" };
