/** `argyle proxy-status` (and `istioctl proxy-status`): which proxy has which configuration, from istiod's /debug/syncz. */
import { formatFlags, MeshError } from "@argyle/core";
import { type Pod, resourceOf } from "@argyle/kube-types";
import { createPodNetwork } from "@argyle/pod-network";
import { connectApi } from "../api.ts";
import { type Command, GLOBAL_FLAGS, OUTPUT_FLAG, readFlags } from "../command.ts";
import { EXIT } from "../exit.ts";
import { requireRunning } from "../instance.ts";
import { fetchOverPodNetwork } from "../pod-http.ts";
import { formatTable } from "../table.ts";

const FLAGS = { ...GLOBAL_FLAGS, ...OUTPUT_FLAG } as const;
const ISTIOD_MONITORING = 15014;

export const proxyStatus: Command = {
  name: "proxy-status",
  summary: "which proxy has which configuration (istioctl's columns)",
  usage: `argyle proxy-status [flags]\n\n${formatFlags(FLAGS)}`,
  async run(argv, { instance, terminal }) {
    const flags = readFlags("proxy-status", argv, FLAGS);
    (await requireRunning(instance)).close();
    const client = connectApi(instance);
    try {
      const pods = await client.list<Pod>(resourceOf("Pod"), "istio-system", { labelSelector: "app=istiod" });
      const istiod = pods.items.find((pod) => pod.status?.podIP !== undefined);
      if (istiod?.status?.podIP === undefined) {
        throw new MeshError("there is no running istiod", {
          code: "istiod.absent",
          advice: "look at: ./argyle kubectl get pods -n istio-system",
        });
      }
      const network = createPodNetwork({ runDir: instance.runDir });
      const body = await fetchOverPodNetwork(network, istiod.status.podIP, ISTIOD_MONITORING, "/debug/syncz");
      const rows = JSON.parse(body) as readonly SyncRow[];
      terminal.out(
        flags.output === "json"
          ? `${JSON.stringify(rows, undefined, 2)}\n`
          : `${formatRows(rows, istiod.metadata.name)}\n`,
      );
      return EXIT.ok;
    } finally {
      client.close();
    }
  },
};

/** One proxy of /debug/syncz. A type that the proxy does not subscribe to is absent. */
interface SyncRow {
  readonly proxy: string;
  readonly cluster_id: string;
  readonly istio_version: string;
  readonly types: Readonly<Record<string, { readonly state: string; readonly nack?: string } | undefined>>;
}

const TYPES = ["cds", "lds", "eds", "rds", "ecds"] as const;

function formatRows(rows: readonly SyncRow[], istiod: string): string {
  const header = ["NAME", "CLUSTER", ...TYPES.map((type) => type.toUpperCase()), "ISTIOD", "VERSION"];
  const cells = rows.map((row) => [
    row.proxy,
    row.cluster_id,
    ...TYPES.map((type) => row.types[type]?.state ?? "IGNORED"),
    istiod,
    row.istio_version,
  ]);
  return formatTable([header, ...cells]);
}
