/** The whole Sock Shop on the mesh, applied with the real kubectl: on our manifests always, on the originals where ARGYLE_TALK_DIR names them. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { eventually } from "@argyle/testkit";
import { startCheckouts } from "../checkout-load.ts";
import { withForwardedPort } from "../follow-kubectl.ts";
import { get } from "../http.ts";
import { type MiniCluster, ROOT, startMiniCluster, withoutKubectl } from "../mini-cluster.ts";
import { closeBooks, openBooks } from "../shop-books.ts";
import { applyShop, DEPLOYMENTS, SHOPS, serviceGraph, shopPods, waitForShop } from "../shop-deployment.ts";
import { describeErrors, goesOn, killUnderLoad } from "../shop-outage.ts";
import { centsOf, createShopper, type ShopOrder } from "../shopper.ts";

/** The talk's graph. */
const GRAPH = [
  "http front-end → carts",
  "http front-end → catalogue",
  "http front-end → orders",
  "http front-end → user",
  "http istio-ingressgateway → front-end",
  "http orders → carts",
  "http orders → payment",
  "http orders → shipping",
  "http orders → user",
  "tcp carts → carts-db",
  "tcp catalogue → catalogue-db",
  "tcp front-end → session-db",
  "tcp orders → orders-db",
  "tcp queue-master → rabbitmq",
  "tcp shipping → rabbitmq",
  "tcp user → user-db",
];
/** `npm run bench -- checkout` kills them all. */
const VICTIMS = ["carts-db", "orders", "payment", "rabbitmq"] as const;
const CUSTOMERS = 20;
/** The talk's own is gone from its repository. */
const LOADTEST = join(ROOT, "demo/6-observability/loadtest-dep.yaml");

interface Endpoint {
  readonly name: string;
  readonly requests: number;
}

for (const shop of SHOPS) {
  describe(`the shop on ${shop.name}`, { skip: withoutKubectl || shop.skip }, () => {
    let cluster: MiniCluster;
    const cleanups: (() => Promise<void> | void)[] = [];
    before(async () => {
      cluster = await startMiniCluster({ after: (fn) => void cleanups.push(fn) }, { demo: "mesh" });
    });
    after(async () => {
      for (const cleanup of cleanups.reverse()) await cleanup();
    });
    const shopper = () => {
      const made = createShopper(cluster.gateway);
      cleanups.push(() => made.close());
      return made;
    };
    const logOf = (name: string) =>
      cluster.kubectl("-n", "sock-shop", "logs", `deploy/${name}`, "-c", name, "--tail=-1");

    test("all 14 deployments become available", async (t) => {
      const started = performance.now();
      await applyShop(cluster, shop);
      t.diagnostic(`applied after ${seconds(started)} s`);
      assert.deepEqual(await waitForShop(cluster), DEPLOYMENTS);
      t.diagnostic(`available after ${seconds(started)} s`);
      assert.deepEqual(
        (await shopPods(cluster)).filter(({ restarts }) => restarts > 0),
        [],
      );
    });

    test("a customer registers, logs in, fills a basket, orders and sees the order; the shipment reaches queue-master", async () => {
      const customer = shopper();
      await eventually("the gateway leads to the shop", () => customer.socks());
      const id = await customer.register(`customer-${shop.storePort}`);
      const [sock] = (await customer.socks()).filter(({ price }) => price < 50);
      assert.ok(sock);
      assert.equal((await customer.ask("POST", "/cart", { id: sock.id, quantity: 2 })).status, 201);
      const basket = JSON.parse((await customer.ask("GET", "/cart")).body) as ShopOrder["items"];
      assert.deepEqual(
        basket.map(({ itemId, quantity, unitPrice }) => ({ itemId, quantity, unitPrice })),
        [{ itemId: sock.id, quantity: 2, unitPrice: sock.price }],
      );
      const placed = await customer.ask("POST", "/orders");
      assert.equal(placed.status, 201, placed.body);
      const order = JSON.parse(placed.body) as ShopOrder;
      assert.equal(Math.round(order.total * 100), centsOf(order.items));
      assert.deepEqual(
        (await customer.orders()).map(({ id, total }) => ({ id, total })),
        [{ id: order.id, total: order.total }],
      );
      assert.equal((await customer.ask("GET", "/cart")).body, "[]");
      await eventually("queue-master has the shipment", async () => {
        const log = await logOf("queue-master");
        const line = log.split("\n").find((line) => line.includes(order.shipment.id));
        assert.match(line ?? log, new RegExp(`Received shipment task: ${id}`));
      });
    });

    test("a payment over the limit is declined with 406, and no order is kept", async () => {
      const customer = shopper();
      await customer.register(`rich-${shop.storePort}`);
      const dearest = (await customer.socks()).toSorted((a, b) => b.price - a.price)[0];
      assert.ok(dearest);
      assert.equal((await customer.ask("POST", "/cart", { id: dearest.id, quantity: 2 })).status, 201);
      const refused = await customer.ask("POST", "/orders");
      assert.equal(refused.status, 406, refused.body);
      assert.match(refused.body, /declined/i);
      assert.deepEqual(await customer.orders(), []);
    });

    test("the service graph is the talk's, from the counters of every sidecar", async () => {
      await eventually("every edge", async () => assert.deepEqual(await serviceGraph(cluster), GRAPH));
    });

    test("the load generator's customers buy through the gateway; its page and its summary show that nothing failed", async (t) => {
      await cluster.kubectl("apply", "-f", LOADTEST);
      const deployment = ["-n", "sock-shop", "deploy/loadtest"];
      await cluster.kubectl("rollout", "status", ...deployment, "--timeout=30s");
      await withForwardedPort(cluster, deployment, 8089, async (url) => {
        assert.match((await get(`${url}/`)).body, /<h1>Load test<\/h1>/);
        // Its customers think for about a second between two steps, and the last step is the order.
        await eventually(
          "somebody has ordered",
          async () => {
            const { rows } = JSON.parse((await get(`${url}/stats.json`)).body) as {
              readonly rows: readonly Endpoint[];
            };
            assert.ok(rows.some(({ name, requests }) => name === "POST /orders" && requests > 0));
          },
          40_000,
          200,
        );
        const summary = (await get(`${url}/summary.txt`)).body;
        t.diagnostic(`\n${summary}`);
        const [, requests, failed] = /^all\s+(\d+)\s+(\d+)\s/m.exec(summary) ?? [];
        assert.ok(Number(requests) > 10, summary);
        assert.equal(failed, "0", summary);
      });
      await cluster.kubectl("delete", "-f", LOADTEST, "--wait=false");
    });

    test(`the store of carts is a PostgreSQL on port ${shop.storePort}`, async () => {
      const pod = (await shopPods(cluster)).find(({ name }) => name === "carts-db");
      assert.ok(pod);
      assert.match(await askForTls(join(cluster.runDir, pod.ip, `${shop.storePort}.sock`)), /^[NS]$/);
    });

    test("while parts die under load, every acknowledged order is kept and none is paid twice", async (t) => {
      const books = openBooks(cluster, await shopper().socks());
      const load = await startCheckouts(cluster.gateway, CUSTOMERS);
      await goesOn(load, "before anything dies");
      assert.deepEqual(load.takeErrors(), {});
      for (const victim of VICTIMS) {
        const { readySeconds, backSeconds, errors } = await killUnderLoad(cluster, victim, load);
        t.diagnostic(
          `${victim}: ready after ${readySeconds.toFixed(1)} s, checkouts go on after ${backSeconds.toFixed(1)} s; ${describeErrors(errors)}`,
        );
      }
      const customers = await load.stop();
      for (const { shopper } of customers) cleanups.push(() => shopper.close());
      const { problems, shipmentsMissing, ...counts } = await closeBooks(cluster, books, customers);
      t.diagnostic(JSON.stringify(counts));
      assert.deepEqual(problems, []);
      // A broker without a volume takes what it had not delivered with it.
      if (shop.isDurable) assert.equal(shipmentsMissing, 0);
      else t.diagnostic(`${shipmentsMissing} shipments were lost with the broker`);
    });
  });
}

function seconds(since: number): string {
  return ((performance.now() - since) / 1000).toFixed(1);
}

/** PostgreSQL's SSLRequest: a server of it answers with one letter, N or S. */
function askForTls(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => socket.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])));
    socket.setTimeout(2000, () => socket.destroy(new Error("no answer to SSLRequest")));
    socket.once("data", (chunk) => {
      resolve(chunk.toString("latin1"));
      socket.destroy();
    });
    socket.once("error", reject);
  });
}
