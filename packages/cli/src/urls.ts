/** What a person wants to know once it runs: where to look and what to type next. */
import { HOST } from "@argyle/cluster";
import type { Demo } from "./deploy.ts";
import type { Instance, InstanceRecord } from "./instance.ts";

export function describeUrls(instance: Instance, record: InstanceRecord, seconds: string, demo: Demo | string): string {
  const flag = instance.name === "argyle" ? "" : ` --instance ${instance.name}`;
  const ingress = `${HOST}:${record.gatewayPort}`;
  const shop = demo === "sock-shop" ? `  Shop        http://${ingress}/\n` : "";
  return `
Argyle is up (${seconds} s)

${shop}  Kubernetes  https://${HOST}:${record.apiPort}   kubeconfig ${instance.kubeconfig}
  Ingress     INGRESS_IP=${ingress}

Try next
  ./argyle shell${flag}                       # a shell in demo/ with kubectl, istioctl and INGRESS_IP set
  ./argyle kubectl${flag} get pods -A
  ./argyle kubectl${flag} apply -f demo/2-traffic-management/front-end-dep-v2.yaml
  ./argyle kubectl${flag} apply -f demo/2-traffic-management/canary/canary-virtual-service.yaml
  ./argyle proxy-status${flag}

`;
}
