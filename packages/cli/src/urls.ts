/** What a person wants to know once it runs: where to look and what to type next. */
import { HOST } from "@argyle/cluster";
import { type Instance, instanceFlag } from "./instance.ts";
import type { Demo, InstanceRecord } from "./record.ts";

const NEXT: Readonly<Record<Demo, readonly string[]>> = {
  none: ["get nodes", "apply -f FILE"],
  mesh: ["get pods -A", "apply -f demo/1-deploy-app/manifests"],
  "sock-shop": [
    "get pods -A",
    "apply -f demo/2-traffic-management/front-end-dep-v2.yaml",
    "apply -f demo/2-traffic-management/canary/canary-virtual-service.yaml",
  ],
};

export function describeUrls(instance: Instance, record: InstanceRecord, seconds: string): string {
  const flag = instanceFlag(instance);
  const ingress = `${HOST}:${record.gatewayPort}`;
  const shop = record.demo === "sock-shop" ? [`  Shop        http://${ingress}/`] : [];
  const gateway = record.demo === "none" ? [] : [`  Ingress     INGRESS_IP=${ingress}`];
  const status = record.demo === "none" ? [] : [`  ./argyle proxy-status${flag}`];
  return `
Argyle is up (${seconds} s)

${[...shop, `  Kubernetes  https://${HOST}:${record.apiPort}   kubeconfig ${instance.kubeconfig}`, ...gateway].join(
  "\n",
)}

Try next
${[
  `  ./argyle shell${flag}                       # a shell in demo/ with kubectl, istioctl and INGRESS_IP set`,
  ...NEXT[record.demo].map((line) => `  ./argyle kubectl${flag} ${line}`),
  ...status,
].join("\n")}

`;
}
