/** Chapters 1 and 2 of the talk, command by command, with the real kubectl: on our manifests always, on the originals where ARGYLE_TALK_DIR names them. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { eventually } from "@argyle/testkit";
import { get } from "../http.ts";
import { type MiniCluster, ROOT, startMiniCluster, withoutKubectl } from "../mini-cluster.ts";

const DIRECTORIES = [
  { name: "our manifests", dir: join(ROOT, "demo"), skip: false },
  {
    name: "the original manifests",
    dir: process.env.ARGYLE_TALK_DIR ?? "",
    skip: process.env.ARGYLE_TALK_DIR === undefined ? "ARGYLE_TALK_DIR is not set" : false,
  },
] as const;

for (const { name, dir, skip } of DIRECTORIES) {
  describe(`the talk on ${name}`, { skip: withoutKubectl || skip }, () => {
    let cluster: MiniCluster;
    const cleanups: (() => Promise<void> | void)[] = [];
    before(async () => {
      cluster = await startMiniCluster({ after: (fn) => void cleanups.push(fn) }, { demo: "mesh" });
    });
    after(async () => {
      for (const cleanup of cleanups) await cleanup();
    });

    /** The first of the paths that exists: the talk's README and its repository disagree on some. */
    const file = (...paths: string[]) => {
      const found = paths.map((path) => join(dir, path)).find(existsSync);
      assert.ok(found, `none of ${paths.join(", ")} is in ${dir}`);
      return found;
    };
    const apply = (...paths: string[]) => cluster.kubectl("apply", "-f", file(...paths));
    const versionOf = async (headers: Record<string, string> = {}) => {
      const answer = await get(`${cluster.gateway}/`, { headers });
      return answer.status === 200 ? (answer.headers["x-shop-version"] ?? "none") : `status ${answer.status}`;
    };
    const versions = async (n: number, headers: Record<string, string> = {}) => {
      const counts: Record<string, number> = {};
      for (let i = 0; i < n; i++) {
        const version = String(await versionOf(headers));
        counts[version] = (counts[version] ?? 0) + 1;
      }
      return counts;
    };
    const settlesOn = (wanted: string, headers: Record<string, string> = {}) =>
      eventually(`every answer is from ${wanted}`, async () =>
        assert.deepEqual(await versions(10, headers), { [wanted]: 10 }),
      );

    test("0. the namespace asks for sidecars", async () => {
      assert.match(await apply("1-deploy-app/manifests/sock-shop-ns.yaml"), /namespace\/sock-shop created/);
    });

    test("1. deploys the application, its routes and its gateway", async () => {
      await apply("1-deploy-app/manifests");
      await apply("1-deploy-app/sockshop-virtual-services.yaml");
      await apply("1-deploy-app/sockshop-gateway.yaml");
      for (const deployment of ["catalogue-db", "catalogue", "front-end"]) {
        await cluster.kubectl("-n", "sock-shop", "rollout", "status", `deploy/${deployment}`, "--timeout=60s");
      }
      await eventually("socks arrive", async () => {
        const answer = await get(`${cluster.gateway}/catalogue`);
        assert.equal(answer.status, 200);
        assert.equal((JSON.parse(answer.body) as unknown[]).length, 10);
      });
    });

    test("1. proxy-status shows every proxy in sync", async () => {
      await eventually("all are SYNCED", async () => {
        const { stdout, code } = await cluster.argyle("proxy-status");
        assert.equal(code, 0);
        for (const pod of ["istio-ingressgateway-", "catalogue-", "front-end-"]) {
          assert.match(stdout, new RegExp(`^${pod}\\S+\\s+Kubernetes\\s+SYNCED.*SYNCED`, "m"));
        }
      });
    });

    test("1. proxy-config shows what a sidecar holds", async () => {
      const rows = async (...args: readonly string[]) => (await cluster.argyle("proxy-config", ...args)).stdout;
      const where = ["deploy/front-end", "-n", "sock-shop"];
      assert.match(
        await rows("routes", ...where, "--name", "80"),
        /^80 +catalogue\.sock-shop\.svc\.cluster\.local:80 /m,
      );
      assert.match(await rows("secret", ...where), /^default +Cert Chain +ACTIVE +true /m);
      assert.match(await rows("endpoints", ...where, "--port", "80"), /HEALTHY +OK +outbound\|80\|\|catalogue\./);
    });

    test("1. the talk's jsonpath lines print an address that answers", async () => {
      const service = ["-n", "istio-system", "get", "service", "istio-ingressgateway", "-o"];
      const ip = await cluster.kubectl(...service, "jsonpath={.status.loadBalancer.ingress[0].ip}");
      const port = await cluster.kubectl(...service, 'jsonpath={.spec.ports[?(@.name=="http2")].port}');
      assert.equal((await get(`http://${ip}:${port}/`)).status, 200);
    });

    test("2. a second version runs and gets no traffic", async () => {
      await apply("2-traffic-management/front-end-dep-v2.yaml");
      await cluster.kubectl("-n", "sock-shop", "rollout", "status", "deploy/front-end-v2", "--timeout=60s");
      await settlesOn("v1");
    });

    test("2.1 blue/green switches everything to v2 and back", async () => {
      await apply("2-traffic-management/blue-green/frontv2-virtual-service.yaml");
      await settlesOn("v2");
      await apply("2-traffic-management/blue-green/frontv1-virtual-service.yaml");
      await settlesOn("v1");
    });

    test("2.2 the canary gets a fifth of the requests", async () => {
      await apply("2-traffic-management/canary/canary-virtual-service.yaml");
      await eventually("v2 is seen", async () => assert.ok((await versions(20)).v2));
      const n = 500;
      const { v1 = 0, v2 = 0 } = await versions(n);
      assert.equal(v1 + v2, n);
      // Five standard deviations of a binomial with p = 0.2: one false alarm in a million runs.
      const bound = 5 * Math.sqrt(n * 0.2 * 0.8);
      assert.ok(Math.abs(v2 - n * 0.2) < bound, `${v2} of ${n} went to v2`);
    });

    test("2.3 Firefox sees v2, everyone else v1", async () => {
      await apply("2-traffic-management/route-headers/frontv2-virtual-service-firefox.yaml");
      await settlesOn("v2", { "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0" });
      await settlesOn("v1", {
        "user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36",
      });
    });

    test("2.4 mirrored requests are in the log of v2 and nowhere else", async () => {
      await apply(
        "2-traffic-management/mirorring/mirror-v2.yaml",
        "2-traffic-management/mirorring/mirror-v2-virtual-service.yaml",
      );
      // By label and not by deployment: both deployments select `name: front-end`, and kubectl would take the first pod of either.
      const logOf = (version: string) =>
        cluster.kubectl(
          "-n",
          "sock-shop",
          "logs",
          "-l",
          `name=front-end,version=${version}`,
          "-c",
          "front-end",
          "--tail=-1",
        );
      await settlesOn("v1");
      await eventually("a marked request is mirrored", async () => {
        const marker = `mirror-${Math.random().toString(36).slice(2)}`;
        for (let i = 0; i < 5; i++) assert.equal(await versionOf({ "user-agent": marker }), "v1");
        await eventually(
          "the marker is in the log of v2",
          async () => {
            assert.equal((await logOf("v2")).split(marker).length - 1, 5);
          },
          2000,
        );
        assert.equal((await logOf("v1")).split(marker).length - 1, 5);
        assert.match((await logOf("v2")).split("\n").find((line) => line.includes(marker)) ?? "", /-shadow/);
      });
    });

    test("2.5 cleans up", async () => {
      await apply("2-traffic-management/cleanup-virtual-service.yaml");
      await cluster.kubectl(
        "delete",
        "-f",
        file("2-traffic-management/canary/front-end-dep-v2.yaml", "2-traffic-management/front-end-dep-v2.yaml"),
      );
      await settlesOn("v1");
      await eventually(
        "the pods of v2 are gone",
        async () => {
          assert.equal(
            await cluster.kubectl("-n", "sock-shop", "get", "pods", "-l", "version=v2,name=front-end", "-o", "name"),
            "",
          );
        },
        15_000,
      );
    });
  });
}
