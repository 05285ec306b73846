/** `argyle shell`: a subshell in demo/ where the talk's lines work as printed: KUBECONFIG, INGRESS_IP, argyle and istioctl on PATH. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { HOST } from "@argyle/cluster";
import { formatFlags } from "@argyle/core";
import { type Command, type CommandContext, GLOBAL_FLAGS, readFlags } from "../command.ts";
import { checkoutDirectory, readRecord, requireRunning } from "../instance.ts";
import { findKubectl } from "../kubectl.ts";
import { runForeground } from "./kubectl.ts";

export const shell: Command = {
  name: "shell",
  summary: "a shell where kubectl, istioctl and INGRESS_IP are set",
  usage: `argyle shell [flags]\n\n${formatFlags(GLOBAL_FLAGS)}`,
  async run(argv, context) {
    readFlags("shell", argv, GLOBAL_FLAGS);
    (await requireRunning(context.instance)).close();
    const record = readRecord(context.instance);
    const kubectl = findKubectl(context.env);
    const path = [writeCommands(context), ...(kubectl === undefined ? [] : [dirname(kubectl)]), context.env.PATH ?? ""];
    const env = {
      ...context.env,
      PATH: path.join(delimiter),
      KUBECONFIG: context.instance.kubeconfig,
      INGRESS_IP: `${HOST}:${record?.gatewayPort ?? 8080}`,
      ARGYLE_INSTANCE: context.instance.name,
    };
    context.terminal.note(`KUBECONFIG, INGRESS_IP=${env.INGRESS_IP}, argyle and istioctl are set; exit leaves.\n`);
    return runForeground(context.env.SHELL ?? "/bin/sh", [], env, join(checkoutDirectory(), "demo"));
  },
};

/** `argyle` and `istioctl` (ours) as commands on the PATH of the subshell. */
function writeCommands({ instance }: CommandContext): string {
  const bin = join(instance.stateDir, "bin");
  mkdirSync(bin, { recursive: true });
  for (const name of ["argyle", "istioctl"]) {
    writeFileSync(join(bin, name), `#!/bin/sh\nexec "${join(checkoutDirectory(), "argyle")}" "$@"\n`);
    chmodSync(join(bin, name), 0o755);
  }
  return bin;
}
