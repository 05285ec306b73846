/** A kubelet with a real supervisor process and a fake API server, in a temporary directory. Everything is ended after the test. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { silentLogger, systemClock } from "@argyle/core";
import { type Pod, resourceOf } from "@argyle/kube-types";
import { createPodNetwork, writeHttpProxyAddress } from "@argyle/pod-network";
import { connectSupervisor, type SupervisorClient } from "@argyle/supervisor";
import { eventually, type TestScope, tempDir } from "@argyle/testkit";
import { build } from "esbuild";
import { createImageIndex, type ImageEntry } from "../src/image-index.ts";
import { startKubelet } from "../src/kubelet.ts";
import type { Kubelet, KubeletServing } from "../src/options.ts";
import { createFakeApi, type FakeApi } from "./fake-api.ts";

declare const __ARGYLE_ROOT__: string;

export interface Scope extends TestScope {
  after(fn: () => void | Promise<void>): void;
}

export interface Harness {
  readonly api: FakeApi;
  readonly supervisor: SupervisorClient;
  readonly dir: string;
  readonly runDir: string;
  readonly stateDir: string;
  start(serving?: KubeletServing): Promise<Kubelet>;
  apply(pod: Partial<Pod["spec"]>, metadata?: Partial<Pod["metadata"]>): void;
  pod(name?: string): Pod | undefined;
  reasons(): readonly string[];
}

export const PODS = resourceOf("Pod", "");

export async function startHarness(t: Scope, images: readonly ImageEntry[] = []): Promise<Harness> {
  const cleanups: (() => void)[] = [];
  const dir = tempDir({ after: (fn) => void cleanups.push(fn) });
  const runDir = join(dir, "r");
  const stateDir = join(dir, "state");
  mkdirSync(join(dir, "dist"));
  const bundle = join(dir, "dist/supervisor.cjs");
  await build({
    entryPoints: [join(__ARGYLE_ROOT__, "packages/supervisor/src/main.ts")],
    outfile: bundle,
    bundle: true,
    platform: "node",
    format: "cjs",
    logLevel: "error",
    alias: { "@argyle/core": join(__ARGYLE_ROOT__, "packages/core/src/index.ts") },
  });
  const real = join(__ARGYLE_ROOT__, "dist/preload.cjs");
  const stub = join(dir, "dist/preload.cjs");
  writeFileSync(stub, "module.exports = () => undefined;");
  const child = spawn(process.execPath, [bundle, "--run-dir", runDir, "--state-dir", stateDir], { stdio: "inherit" });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const supervisor = await eventually("the supervisor", () => connectSupervisor(join(runDir, "supervisor.sock")));
  // As kube-proxy does; programs that are not Node wait for it.
  writeHttpProxyAddress(runDir, { port: 1, key: "k" });
  const kubelets: Kubelet[] = [];
  t.after(async () => {
    for (const kubelet of kubelets) await kubelet.close();
    supervisor.close();
    child.kill("SIGKILL");
    await ended;
    await eventually("the guard is done", () => {
      if (existsSync(runDir)) throw new Error("the run directory is there");
    });
    for (const cleanUp of cleanups) cleanUp();
  });
  const api = createFakeApi();
  return {
    api,
    supervisor,
    dir,
    runDir,
    stateDir,
    async start(serving) {
      const kubelet = await startKubelet({
        client: api,
        podNetwork: createPodNetwork({ runDir }),
        supervisor,
        imageIndex: createImageIndex(images, join(dir, "dist")),
        stateDir,
        runDir,
        nodeName: "argyle",
        clock: systemClock,
        log: silentLogger,
        preloadPath: existsSync(real) ? real : stub,
        hostEnv: { PATH: process.env.PATH, HOME: dir },
        ...(serving === undefined ? {} : { serving }),
      });
      kubelets.push(kubelet);
      return kubelet;
    },
    apply(spec, metadata = {}) {
      api.put(PODS, {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: "p", namespace: "ns", labels: {}, ...metadata },
        spec: { nodeName: "argyle", containers: [], ...spec },
      });
    },
    pod: (name = "p") => api.object<Pod>("Pod", name),
    reasons: () => api.all("Event").map((event) => String("reason" in event ? event.reason : "")),
  };
}
