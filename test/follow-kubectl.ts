/** A kubectl that goes on running: logs -f, get -w, port-forward. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { eventually } from "@argyle/testkit";
import { findKubectls, type MiniCluster } from "./mini-cluster.ts";

export interface Followed {
  /** What it has printed so far. */
  text(): string;
  end(): Promise<void>;
}

export function followKubectl(cluster: MiniCluster, ...args: string[]): Followed {
  const child = spawn(findKubectls()[0]?.path ?? "kubectl", args, {
    env: { ...process.env, KUBECONFIG: cluster.kubeconfig },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  return {
    text: () => text,
    end() {
      child.kill("SIGKILL");
      return ended;
    },
  };
}

/** `kubectl port-forward` of one port while `use` runs, which is told where it leads from. */
export async function withForwardedPort(
  cluster: MiniCluster,
  target: readonly string[],
  port: number,
  use: (url: string) => Promise<void>,
): Promise<void> {
  const forward = followKubectl(cluster, "port-forward", ...target, `:${port}`);
  try {
    const local = await eventually("it listens", () => {
      const found = /127\.0\.0\.1:(\d+) ->/.exec(forward.text())?.[1];
      assert.ok(found);
      return found;
    });
    await use(`http://127.0.0.1:${local}`);
  } finally {
    await forward.end();
  }
}
