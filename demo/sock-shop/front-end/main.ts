/**
 * front-end: the shop's pages and the API that they call. Version v1 is blue and v2 red (SHOP_VERSION, or the image's tag).
 * SESSION_REDIS=true keeps the sessions in Redis (REDIS_URL, default redis://session-db:6379), as in the original.
 */
import { hostname } from "node:os";
import { runService } from "@sock-shop/kit";
import { createFrontEnd } from "./service.ts";
import { createRedisSessions } from "./sessions/redis-store.ts";
import { createMemorySessions } from "./sessions/store.ts";

const env = process.env;
const usesRedis = env.SESSION_REDIS === "true" || env.REDIS_URL !== undefined;
const sessions = usesRedis ? createRedisSessions(env.REDIS_URL ?? "redis://session-db:6379") : createMemorySessions();
const service = createFrontEnd({
  version: env.SHOP_VERSION === "v2" ? "v2" : "v1",
  pod: env.HOSTNAME ?? hostname(),
  peers: {
    catalogue: env.CATALOGUE_URL ?? "http://catalogue",
    user: env.USER_URL ?? "http://user",
    carts: env.CARTS_URL ?? "http://carts",
    orders: env.ORDERS_URL ?? "http://orders",
  },
  sessions,
  forwardsTrace: env.FORWARD_TRACE_HEADERS !== "false",
});
runService({ name: "front-end", port: Number(env.PORT ?? 8079), service, onClose: () => sessions.close() });
