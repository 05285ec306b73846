/**
 * Children and Workers are captured as well, also when they are given an environment of their own: NODE_OPTIONS with our --require is put
 * back. spawn, exec, execFile and fork end in ChildProcess.prototype.spawn; the *Sync functions do not, and each has its own path.
 */
import childProcess from "node:child_process";
import workerThreads from "node:worker_threads";
import { nodeOptionsFor } from "../render-preload.ts";
import type { PreloadConfig } from "./config.ts";
import type { PrivateNode } from "./private-node.ts";

type AnyFunction = (...args: unknown[]) => unknown;
const SYNC_FUNCTIONS = ["spawnSync", "execSync", "execFileSync"] as const;

export function patchChildren(config: PreloadConfig, node: PrivateNode): void {
  const withOurs = (existing: string | undefined): string =>
    existing?.includes(config.preloadFile) === true ? existing : nodeOptionsFor(config.preloadFile, existing);

  const spawnAsNode = node.spawnPrototype.spawn;
  node.spawnPrototype.spawn = function spawn(this: unknown, options: Record<string, unknown>): unknown {
    const { envPairs } = options;
    if (!Array.isArray(envPairs)) return Reflect.apply(spawnAsNode, this, [options]);
    const pairs = envPairs.map(String);
    const at = pairs.findIndex((pair) => pair.startsWith("NODE_OPTIONS="));
    const existing = at < 0 ? undefined : pairs[at]?.slice("NODE_OPTIONS=".length);
    pairs.splice(at < 0 ? pairs.length : at, at < 0 ? 0 : 1, `NODE_OPTIONS=${withOurs(existing)}`);
    return Reflect.apply(spawnAsNode, this, [{ ...options, envPairs: pairs }]);
  };

  for (const name of SYNC_FUNCTIONS) {
    const runAsNode = childProcess[name] as unknown as AnyFunction;
    Object.assign(childProcess, {
      [name]: (...args: unknown[]): unknown => {
        const at = args.findLastIndex((arg) => typeof arg === "object" && arg !== null && !Array.isArray(arg));
        return runAsNode(...args.map((arg, i) => (i === at ? withEnvironment(arg, withOurs) : arg)));
      },
    });
  }

  const WorkerAsNode = workerThreads.Worker;
  const Worker = new Proxy(WorkerAsNode, {
    construct(target, args: unknown[], newTarget) {
      const [file, options, ...rest] = args;
      return Reflect.construct(target, [file, withEnvironment(options, withOurs), ...rest], newTarget);
    },
  });
  Object.assign(workerThreads, { Worker });
}

/** The options with NODE_OPTIONS put into `env`; without an `env` of their own they inherit ours, which has it. */
function withEnvironment(options: unknown, withOurs: (existing: string | undefined) => string): unknown {
  if (typeof options !== "object" || options === null) return options;
  const env: unknown = Reflect.get(options, "env");
  if (typeof env !== "object" || env === null) return options;
  const existing: unknown = Reflect.get(env, "NODE_OPTIONS");
  return { ...options, env: { ...env, NODE_OPTIONS: withOurs(typeof existing === "string" ? existing : undefined) } };
}
