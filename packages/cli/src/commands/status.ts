/** `argyle status`: the components with their memory, and what runs in the cluster. */
import { formatFlags, MeshError } from "@argyle/core";
import { type KubeClient, objectKey } from "@argyle/kube-client";
import { type Pod, resourceOf } from "@argyle/kube-types";
import type { SupervisorClient } from "@argyle/supervisor";
import { connectApi } from "../api.ts";
import { type Command, type CommandContext, GLOBAL_FLAGS, OUTPUT_FLAG, readFlags } from "../command.ts";
import { EXIT } from "../exit.ts";
import { readRecord, requireRunning } from "../instance.ts";
import { readTreeMemory } from "../process-memory.ts";
import { formatTable } from "../table.ts";

const FLAGS = { ...GLOBAL_FLAGS, ...OUTPUT_FLAG } as const;

export const status: Command = {
  name: "status",
  summary: "what runs, and how much memory it takes",
  usage: `argyle status [flags]\n\n${formatFlags(FLAGS)}`,
  async run(argv, context) {
    const flags = readFlags("status", argv, FLAGS);
    const supervisor = await requireRunning(context.instance);
    try {
      await printStatus(supervisor, context, flags.output === "json" ? "json" : "text");
    } finally {
      supervisor.close();
    }
    return EXIT.ok;
  },
};

interface ProcessStatus {
  readonly name: string;
  readonly state: string;
  readonly pid: number;
  readonly restarts: number;
  readonly pssBytes: number;
}

export async function printStatus(
  supervisor: SupervisorClient,
  context: CommandContext,
  form: "text" | "json",
): Promise<void> {
  const entries = await supervisor.list();
  const pods = await podNames(context);
  const processes = entries.map(
    (entry): ProcessStatus => ({
      name: displayName(entry.name, pods),
      state: entry.state,
      pid: entry.pid,
      restarts: entry.restarts,
      pssBytes: entry.state === "running" ? readTreeMemory(entry.pid).reduce((sum, p) => sum + p.pssBytes, 0) : 0,
    }),
  );
  const record = readRecord(context.instance);
  const pssBytes = processes.reduce((sum, p) => sum + p.pssBytes, 0);
  if (form === "json") {
    context.terminal.out(
      `${JSON.stringify({ instance: context.instance.name, ...record, pssBytes, processes }, undefined, 2)}\n`,
    );
    return;
  }
  const rows = processes.map((p) => [p.name, p.state, String(p.pid), String(p.restarts), megabytes(p.pssBytes)]);
  context.terminal.out(
    `${formatTable([["PROCESS", "STATE", "PID", "RESTARTS", "MEMORY (PSS)"], ...rows, ["", "", "", "", megabytes(pssBytes)]])}\n`,
  );
}

/** Pod uid to `namespace/name`; empty while the API server is away, so that status works then too. */
async function podNames(context: CommandContext): Promise<ReadonlyMap<string, string>> {
  let client: KubeClient | undefined;
  try {
    client = connectApi(context.instance);
    const pods = await client.list<Pod>(resourceOf("Pod"));
    return new Map(pods.items.map((pod) => [pod.metadata.uid ?? "", objectKey(pod)]));
  } catch (error) {
    if (!(error instanceof MeshError)) throw error;
    return new Map();
  } finally {
    client?.close();
  }
}

/** The supervisor's `pod/<uid>/<container>/<attempt>` as `namespace/name/container`. */
function displayName(name: string, pods: ReadonlyMap<string, string>): string {
  const [kind, uid = "", container = ""] = name.split("/");
  const pod = pods.get(uid);
  return kind !== "pod" || pod === undefined ? name : `${pod}/${container}`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
