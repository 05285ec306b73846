/**
 * The whole shop in one process, without a mesh: the real services on ephemeral ports, real PostgreSQL, our Redis for the sessions. Before every
 * service is a door at which faults can be set: an answer given instead of the service's, or the connection cut. Shipping is a stand-in.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo, Server as NetServer } from "node:net";
import { createService, type Service } from "@sock-shop/kit";
import { createRedisServer, type RedisServer } from "../../../../images/redis/server.ts";
import { createCartsService } from "../../carts/service.ts";
import { createCartStore } from "../../carts/store.ts";
import { createCatalogueService } from "../../catalogue/service.ts";
import { createSockStore } from "../../catalogue/store.ts";
import { createCheckout } from "../../orders/checkout.ts";
import { createOrdersService } from "../../orders/service.ts";
import { createOrderStore } from "../../orders/store.ts";
import { createPaymentService } from "../../payment/service.ts";
import { createUserService } from "../../user/service.ts";
import { createUserStore } from "../../user/store.ts";
import { createFrontEnd } from "../service.ts";
import { createRedisClient } from "../sessions/redis-client.ts";
import { createRedisSessions } from "../sessions/redis-store.ts";
import { startPostgres } from "./postgres.ts";

export type DoorName = "catalogue" | "user" | "carts" | "orders" | "payment" | "shipping";
export type Fault = "cut" | { readonly status: number; readonly body: string };

export interface Shop {
  /** Version v1 (blue) and version v2 (red), with the same sessions. */
  readonly v1: string;
  readonly v2: string;
  /** Undefined heals. */
  setFault(door: DoorName, fault: Fault | undefined): void;
  /** Headers of the last request that came through a door. */
  lastHeaders(door: DoorName): Readonly<Record<string, unknown>>;
  /** As when their time is up: Redis has none of them any more. */
  endSessions(): Promise<void>;
  stopRedis(): Promise<void>;
  readonly logs: readonly string[];
  stop(): Promise<void>;
}

interface Door {
  readonly url: string;
  open(service: Service): void;
}

export async function startShop(root: string): Promise<Shop> {
  const postgres = await startPostgres(root);
  const stops: (() => Promise<void>)[] = [];
  const logs: string[] = [];
  const log = (line: string) => void logs.push(line);
  const faults = new Map<DoorName, Fault>();
  const seen = new Map<DoorName, Readonly<Record<string, unknown>>>();

  const makeDoor = async (name: DoorName): Promise<Door> => {
    let service: Service | undefined;
    const server = createServer((incoming, outgoing) => {
      seen.set(name, incoming.headers);
      const fault = faults.get(name);
      if (fault === "cut") incoming.socket.destroy();
      else if (fault !== undefined) outgoing.writeHead(fault.status, { "content-type": "text/plain" }).end(fault.body);
      else service?.server.emit("request", incoming, outgoing);
    });
    const url = await listen(server);
    stops.push(() => closeServer(server));
    return {
      url,
      open: (opened) => {
        service = opened;
      },
    };
  };
  const doors = {
    catalogue: await makeDoor("catalogue"),
    user: await makeDoor("user"),
    carts: await makeDoor("carts"),
    orders: await makeDoor("orders"),
    payment: await makeDoor("payment"),
    shipping: await makeDoor("shipping"),
  };
  const stores = {
    catalogue: createSockStore(postgres.url("catalogue")),
    user: createUserStore(postgres.url("user")),
    carts: createCartStore(postgres.url("carts")),
    orders: createOrderStore(postgres.url("orders")),
  };
  doors.catalogue.open(createCatalogueService(stores.catalogue, log));
  doors.user.open(createUserService(stores.user, { domain: doors.user.url.replace("http://", ""), log }));
  doors.carts.open(createCartsService(stores.carts, log));
  doors.payment.open(createPaymentService({ declineOver: 105, log }));
  doors.shipping.open(createShippingStandIn(log));
  const checkout = createCheckout(stores.orders.steps, {
    paymentUrl: `${doors.payment.url}/paymentAuth`,
    shippingUrl: `${doors.shipping.url}/shipping`,
    log,
  });
  doors.orders.open(createOrdersService(stores.orders, checkout, log));

  const redis: RedisServer = createRedisServer({ port: 0 });
  const redisUrl = (await listen(redis.server)).replace("http:", "redis:");
  let redisStopped: Promise<void> | undefined;
  const stopRedis = () => {
    redisStopped ??= redis.close();
    return redisStopped;
  };
  const frontEnd = async (version: "v1" | "v2"): Promise<string> => {
    const sessions = createRedisSessions(redisUrl);
    const peers = {
      catalogue: doors.catalogue.url,
      user: doors.user.url,
      carts: doors.carts.url,
      orders: doors.orders.url,
    };
    const { server } = createFrontEnd({
      version,
      pod: `front-end-${version}-test`,
      peers,
      sessions,
      log,
    });
    const url = await listen(server);
    stops.unshift(async () => {
      await closeServer(server);
      await sessions.close();
    });
    return url;
  };
  return {
    v1: await frontEnd("v1"),
    v2: await frontEnd("v2"),
    setFault: (door, fault) => void (fault === undefined ? faults.delete(door) : faults.set(door, fault)),
    lastHeaders: (door) => seen.get(door) ?? {},
    async endSessions() {
      const { hostname, port } = new URL(redisUrl);
      const client = createRedisClient({ host: hostname, port: Number(port) });
      await client.command("FLUSHALL");
      client.close();
    },
    stopRedis,
    logs,
    async stop() {
      for (const stop of stops) await stop();
      await stopRedis();
      await checkout.close();
      await Promise.all(Object.values(stores).map((store) => store.close()));
      await postgres.stop();
    },
  };
}

function createShippingStandIn(log: (line: string) => void): Service {
  return createService({
    name: "shipping",
    log,
    onError: (error) => ({ status: error.status, json: { message: error.message } }),
    routes: [
      { method: "POST", path: "/shipping", handle: async (request) => ({ status: 201, json: await request.json() }) },
    ],
  });
}

async function listen(server: NetServer): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
