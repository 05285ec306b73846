/**
 * The istio-proxy container and its volumes, as Istio's sidecar and gateway templates write them. There is no init container: the pod
 * network captures connections without one.
 * Spec: istio.io, Installing the Sidecar; environment as pilot-agent reads it.
 */
import { ISTIO_VERSION } from "@argyle/core";
import type { Container, EnvVar, Pod, Volume } from "@argyle/kube-types";
import type { MeshConfig } from "../model/mesh-config.ts";
import { workloadNameOf } from "../model/workload.ts";

export interface ProxyContainerOptions {
  readonly pod: Pod;
  readonly namespace: string;
  readonly mesh: MeshConfig;
  readonly template: "sidecar" | "gateway";
  /** `istiod.istio-system.svc:15012` */
  readonly caAddress: string;
}

export const PROXY_CONTAINER = "istio-proxy";

export function proxyImage(annotations: Readonly<Record<string, string>>): string {
  return annotations["sidecar.istio.io/proxyImage"] ?? `docker.io/istio/proxyv2:${ISTIO_VERSION}`;
}

export function proxyContainer(options: ProxyContainerOptions): Container {
  const { pod, mesh, template } = options;
  const annotations = pod.metadata.annotations ?? {};
  const probe = { httpGet: { path: "/healthz/ready", port: 15021 } };
  return {
    name: PROXY_CONTAINER,
    image: proxyImage(annotations),
    args: [
      "proxy",
      template === "gateway" ? "router" : "sidecar",
      "--domain",
      `$(POD_NAMESPACE).svc.${mesh.domain}`,
      "--proxyLogLevel=warning",
      "--proxyComponentLogLevel=misc:error",
      "--log_output_level=default:info",
    ],
    ports: [{ containerPort: 15090, protocol: "TCP", name: "http-envoy-prom" }],
    env: environment(options),
    resources: {
      requests: {
        cpu: annotations["sidecar.istio.io/proxyCPU"] ?? "10m",
        memory: annotations["sidecar.istio.io/proxyMemory"] ?? "40Mi",
      },
      limits: {
        cpu: annotations["sidecar.istio.io/proxyCPULimit"] ?? "2",
        memory: annotations["sidecar.istio.io/proxyMemoryLimit"] ?? "1Gi",
      },
    },
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
      privileged: false,
      readOnlyRootFilesystem: true,
      runAsGroup: 1337,
      runAsNonRoot: true,
      runAsUser: 1337,
    },
    startupProbe: { ...probe, initialDelaySeconds: 0, periodSeconds: 1, timeoutSeconds: 3, failureThreshold: 600 },
    readinessProbe: { ...probe, initialDelaySeconds: 0, periodSeconds: 15, timeoutSeconds: 3, failureThreshold: 4 },
    volumeMounts: [
      { name: "workload-socket", mountPath: "/var/run/secrets/workload-spiffe-uds" },
      { name: "istiod-ca-cert", mountPath: "/var/run/secrets/istio" },
      { name: "istio-data", mountPath: "/var/lib/istio/data" },
      { name: "istio-envoy", mountPath: "/etc/istio/proxy" },
      { name: "istio-token", mountPath: "/var/run/secrets/tokens" },
      { name: "istio-podinfo", mountPath: "/etc/istio/pod" },
    ],
  };
}

export function proxyVolumes(): readonly Volume[] {
  return [
    { name: "workload-socket", emptyDir: {} },
    { name: "istio-envoy", emptyDir: { medium: "Memory" } },
    { name: "istio-data", emptyDir: {} },
    {
      name: "istio-podinfo",
      downwardAPI: {
        items: [
          { path: "labels", fieldRef: { fieldPath: "metadata.labels" } },
          { path: "annotations", fieldRef: { fieldPath: "metadata.annotations" } },
        ],
      },
    },
    {
      name: "istio-token",
      projected: {
        sources: [{ serviceAccountToken: { audience: "istio-ca", expirationSeconds: 43_200, path: "istio-token" } }],
      },
    },
    { name: "istiod-ca-cert", configMap: { name: "istio-ca-root-cert" } },
  ];
}

function environment({ pod, namespace, mesh, caAddress }: ProxyContainerOptions): readonly EnvVar[] {
  const field = (name: string, fieldPath: string): EnvVar => ({ name, valueFrom: { fieldRef: { fieldPath } } });
  const text = (name: string, value: string): EnvVar => ({ name, value });
  const applications = pod.spec.containers.filter((container) => container.name !== PROXY_CONTAINER);
  const ports = applications.flatMap((container) => container.ports ?? []);
  const workload = workloadNameOf(pod.metadata);
  return [
    text("PILOT_CERT_PROVIDER", "istiod"),
    text("CA_ADDR", caAddress),
    field("POD_NAME", "metadata.name"),
    field("POD_NAMESPACE", "metadata.namespace"),
    field("INSTANCE_IP", "status.podIP"),
    field("SERVICE_ACCOUNT", "spec.serviceAccountName"),
    field("HOST_IP", "status.hostIP"),
    text("PROXY_CONFIG", JSON.stringify({ ...mesh.defaultConfig, discoveryAddress: caAddress })),
    text("ISTIO_META_POD_PORTS", JSON.stringify(ports)),
    text("ISTIO_META_APP_CONTAINERS", applications.map((container) => container.name).join(",")),
    text("ISTIO_META_CLUSTER_ID", mesh.clusterId),
    field("ISTIO_META_NODE_NAME", "spec.nodeName"),
    text("ISTIO_META_INTERCEPTION_MODE", "REDIRECT"),
    ...(workload === "" ? [] : [text("ISTIO_META_WORKLOAD_NAME", workload)]),
    ...(workload === "" ? [] : [text("ISTIO_META_OWNER", ownerOf(pod, namespace, workload))]),
    text("ISTIO_META_MESH_ID", mesh.trustDomain),
    text("TRUST_DOMAIN", mesh.trustDomain),
  ];
}

/** The Deployment behind a ReplicaSet, else the owner itself, as a self link. */
function ownerOf(pod: Pod, namespace: string, workload: string): string {
  const owner = pod.metadata.ownerReferences?.find((reference) => reference.controller === true);
  if (owner === undefined) return `kubernetes://apis/v1/namespaces/${namespace}/pods/${workload}`;
  if (owner.kind === "ReplicaSet") return `kubernetes://apis/apps/v1/namespaces/${namespace}/deployments/${workload}`;
  return `kubernetes://apis/${owner.apiVersion}/namespaces/${namespace}/${owner.kind.toLowerCase()}s/${owner.name}`;
}
