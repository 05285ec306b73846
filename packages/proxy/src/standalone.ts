/** `proxy --config envoy.yaml`: one proxy on host sockets from a static Envoy bootstrap, with dynamic resources from files. */
import { lookup } from "node:dns/promises";
import { readFileSync, watch } from "node:fs";
import { type Clock, formatProblems, type Logger, MeshError } from "@argyle/core";
import { createRegistry } from "@argyle/telemetry";
import { answerAdmin } from "./admin/admin.ts";
import { createPageServer } from "./admin/serve.ts";
import { bindListeners } from "./bindings.ts";
import { parseBootstrap, readResourceFile } from "./bootstrap.ts";
import { createRandomUuid } from "./http/random-uuid.ts";
import { createLogSink } from "./io/log-sink.ts";
import { createTimerWheel } from "./io/timer-wheel.ts";
import { createProxy } from "./proxy.ts";
import { createHostDialer } from "./upstream/dialer.ts";

export interface Standalone {
  close(): void;
}

export async function startStandalone(
  path: string,
  deps: { readonly clock: Clock; readonly log: Logger; readonly stdout: (text: string) => void },
): Promise<Standalone> {
  const { clock, log } = deps;
  const bootstrap = parseBootstrap(readFileSync(path, "utf8"));
  const wheel = createTimerWheel(clock);
  const logs = createLogSink(clock, deps.stdout);
  const proxy = createProxy({
    clock,
    wheel,
    random: Math.random,
    uuid: createRandomUuid(),
    log,
    registry: createRegistry(),
    dialer: createHostDialer(),
    resolveName: async (name) => (await lookup(name, { all: true, family: 4 })).map(({ address }) => address),
    writeAccessLog: logs.write,
    node: bootstrap.node,
  });
  const rejected = bootstrap.apply(proxy.runtime);
  if (rejected.length > 0) {
    const problems = rejected.map(({ name, message }) => ({ path: name, message }));
    throw new MeshError(`${path}: ${formatProblems(problems)}`, { code: "proxy.config.invalid" });
  }
  const watchers = bootstrap.files.map(({ typeUrl, path: file }) => {
    const load = () => {
      for (const { name, message } of proxy.runtime.apply(typeUrl, readResourceFile(file), []))
        log.error("resource rejected", { file, name, message });
    };
    load();
    return watch(file, load);
  });
  const bindings = bindListeners(proxy);
  await bindings.settled();
  const quit = () => {
    for (const watcher of watchers) watcher.close();
    admin?.close();
    admin?.closeAllConnections();
    bindings.close();
    proxy.close();
    wheel.close();
    logs.close();
  };
  const adminDeps = { proxy, quit, logLevel: { get: () => "info", set: () => false } };
  const admin =
    bootstrap.admin?.kind === "ip"
      ? createPageServer((method, target) => answerAdmin(adminDeps, method, target)).listen(
          bootstrap.admin.port,
          bootstrap.admin.ip,
        )
      : undefined;
  log.info("all dependencies initialized. starting workers", { listeners: proxy.listeners.active.size });
  return { close: quit };
}
