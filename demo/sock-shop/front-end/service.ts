/**
 * The front-end: pages, the files they need, and the shop's public API in front of catalogue, user, carts and orders.
 * README.md lists where it differs from the original.
 */
import {
  createLogLine,
  createService,
  type FailedRequest,
  type HttpError,
  healthRoute,
  type Request,
  type Response,
  type Route,
  type Service,
  traceHeadersOf,
  traceIdOf,
} from "@sock-shop/kit";
import { accountRoutes } from "./api-account.ts";
import { cartRoutes } from "./api-cart.ts";
import { catalogueRoutes } from "./api-catalogue.ts";
import { orderRoutes } from "./api-orders.ts";
import { assetRoute } from "./assets.ts";
import { BackendError, createBackend, type ServiceName } from "./backend.ts";
import { createCarts } from "./carts.ts";
import { errorPage, PAGE_HEADERS, PAGES, type Page, type PageFacts, renderPage } from "./pages.ts";
import { fromSameOrigin } from "./same-origin.ts";
import type { SessionStore } from "./sessions/store.ts";
import { createVisits } from "./sessions/visits.ts";

export interface FrontEndOptions {
  readonly version: "v1" | "v2";
  readonly pod: string;
  /** `http://catalogue` and so on, without a path. */
  readonly peers: Readonly<Record<ServiceName, string>>;
  readonly sessions: SessionStore;
  /** Default true. */
  readonly forwardsTrace?: boolean;
  /** How long a backend may take; default 10 s. */
  readonly timeoutMs?: number;
  readonly log?: (line: string) => void;
}

export function createFrontEnd(options: FrontEndOptions): Service {
  const log = options.log ?? ((line: string) => void process.stdout.write(line));
  const backend = (service: ServiceName) =>
    createBackend({
      service,
      url: options.peers[service],
      forwardsTrace: options.forwardsTrace ?? true,
      ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
    });
  const visits = createVisits(options.sessions);
  const catalogue = backend("catalogue");
  const user = backend("user");
  const cartsService = backend("carts");
  const carts = createCarts(cartsService, visits, log);

  const factsOf = (headers: Request["headers"], visitor: PageFacts["visitor"]): PageFacts => ({
    version: options.version,
    pod: options.pod,
    trace: traceIdOf(traceHeadersOf(headers)),
    visitor,
  });
  const visitorOf = async (request: Request): Promise<PageFacts["visitor"]> => {
    try {
      const { customer } = await visits.read(request);
      if (customer === undefined) return { kind: "visitor" };
      return { kind: "customer", name: customer.firstName === "" ? customer.username : customer.firstName };
    } catch (error) {
      log(createLogLine("warn", error instanceof Error ? error.message : String(error), { path: request.path }));
      return { kind: "unknown" };
    }
  };
  const pageRoutes = PAGES.flatMap((page) =>
    page.paths.map(
      (path): Route => ({
        method: "GET",
        path,
        handle: async (request) => showPage(page, factsOf(request.headers, await visitorOf(request))),
      }),
    ),
  );
  const apiRoutes = [
    ...cartRoutes({ catalogue, cartsService, carts, visits }),
    ...accountRoutes({ user, cartsService, carts, visits }),
    ...orderRoutes({ user, orders: backend("orders"), cartsService, carts, visits, log }),
  ];

  const onError = (error: HttpError, failed: FailedRequest): Response => {
    const { status, message } = error;
    if (status === 404 && /.\/$/.test(failed.path)) return withoutTrailingSlash(failed);
    const wantsPage = failed.method === "GET" && (failed.headers.accept ?? "").includes("text/html");
    if (wantsPage) {
      return { ...showPage(errorPage(status, message), factsOf(failed.headers, { kind: "visitor" })), status };
    }
    const service = error instanceof BackendError ? { service: error.service } : {};
    return { status, headers: { "cache-control": "no-store" }, json: { error: message, status, ...service } };
  };
  return createService({
    name: "front-end",
    log,
    onError,
    headers: {
      "x-shop-version": options.version,
      "x-shop-pod": options.pod,
      "x-content-type-options": "nosniff",
    },
    routes: [
      ...pageRoutes,
      assetRoute,
      healthRoute({ service: "front-end", timeField: "time" }),
      ...catalogueRoutes(catalogue),
      ...apiRoutes.map((route) =>
        noStore(route.method === "GET" && route.path !== "/login" ? route : fromSameOrigin(route)),
      ),
    ],
  });
}

function showPage(page: Page, facts: PageFacts): Response {
  return { headers: PAGE_HEADERS, body: renderPage(page, facts) };
}

/** What the API answers is somebody's own. */
function noStore(route: Route): Route {
  return {
    ...route,
    async handle(request) {
      const response = await route.handle(request);
      return { ...response, headers: { "cache-control": "no-store", ...response.headers } };
    },
  };
}

function withoutTrailingSlash({ path, search }: FailedRequest): Response {
  return { status: 301, headers: { location: `${path.replace(/\/+$/, "")}${search}` } };
}
