/**
 * The echo deployments that Istio's integration tests run against: services a, b and c of one namespace with Istio's list of ports, one pod
 * each with a sidecar, `naked` without one, and an EndpointSlice for every Service with a selector, as the endpoint controllers make it.
 */
import type { KubeObject } from "@argyle/kube-types";
import type { ProxyFields } from "./mesh-translation.ts";

/** Port name, service port, workload port (istio: pkg/test/framework/components/echo/common/ports). */
const PORTS: readonly (readonly [string, number, number])[] = [
  ["tcp", 9090, 19090],
  ["auto-tcp", 9091, 19091],
  ["tcp-server", 9092, 16060],
  ["auto-tcp-server", 9093, 16061],
  ["http", 80, 18080],
  ["auto-http", 81, 18081],
  ["http-instance", 82, 18082],
  ["http-localhost", 84, 18084],
  ["http2", 85, 18085],
  ["grpc", 7070, 17070],
  ["auto-grpc", 7071, 17071],
  ["https", 443, 18443],
  ["auto-https", 9443, 19443],
];

const APPS: readonly string[] = ["a", "b", "c", "naked"];

export function workloadPort(portName: string): number | undefined {
  return PORTS.find(([name]) => name === portName.toLowerCase())?.[2];
}

export function servicePort(portName: string): number | undefined {
  return PORTS.find(([name]) => name === portName.toLowerCase())?.[1];
}

function podIp(app: string): string {
  return `10.244.7.${APPS.indexOf(app) + 1}`;
}

export function appAt(ip: string): string | undefined {
  return APPS.find((app) => podIp(app) === ip);
}

function clusterIp(app: string): string {
  return `10.96.7.${APPS.indexOf(app) + 1}`;
}

export function echoNode(app: string, namespace: string): ProxyFields {
  return { type: "sidecar", ip: podIp(app), namespace, labels: labelsOf(app) };
}

/** Istio's harness puts every ordinary application into the class "standard". */
function labelsOf(app: string): Readonly<Record<string, string>> {
  return { app, version: "v1", "test.istio.io/class": app === "naked" ? "naked" : "standard" };
}

export function echoMesh(namespace: string): readonly KubeObject[] {
  return APPS.flatMap((app): KubeObject[] => [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: app, namespace },
      spec: {
        clusterIP: clusterIp(app),
        selector: { app },
        ports: PORTS.map(([name, port, targetPort]) => ({ name, port, targetPort })),
      },
    },
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name: `${app}-v1`,
        namespace,
        labels: { ...labelsOf(app), ...(app === "naked" ? {} : { "security.istio.io/tlsMode": "istio" }) },
      },
      spec: { serviceAccountName: app, containers: [{ name: "app" }] },
      status: {
        podIP: podIp(app),
        phase: "Running",
        conditions: [{ type: "Ready", status: "True" }],
      },
    },
  ]);
}

interface ServiceView extends KubeObject {
  readonly spec?: {
    readonly selector?: Readonly<Record<string, string>>;
    readonly type?: string;
    readonly clusterIP?: string;
    readonly externalName?: string;
    readonly ports?: readonly { readonly name?: string; readonly port: number; readonly targetPort?: number }[];
  };
}

interface PodView extends KubeObject {
  readonly status?: { readonly podIP?: string };
}

/** What the endpoint controllers add: the pods of a Service's namespace that it selects. */
export function endpointSlices(objects: readonly KubeObject[]): readonly KubeObject[] {
  const pods = objects.filter(({ kind }) => kind === "Pod") as readonly PodView[];
  return objects.flatMap((object) => {
    const { selector, ports = [] } = (object as ServiceView).spec ?? {};
    if (object.kind !== "Service" || selector === undefined) return [];
    const { name, namespace } = object.metadata;
    const selected = pods.filter(
      ({ metadata }) =>
        metadata.namespace === namespace &&
        Object.entries(selector).every(([key, value]) => metadata.labels?.[key] === value),
    );
    const slice = {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name: `${name}-1`, namespace, labels: { "kubernetes.io/service-name": name } },
      addressType: "IPv4",
      endpoints: selected.map(({ status }) => ({ addresses: [status?.podIP ?? ""], conditions: { ready: true } })),
      ports: ports.map((port) => ({ name: port.name ?? "", port: port.targetPort ?? port.port })),
    };
    return [slice as unknown as KubeObject];
  });
}

/** What the API server gives a Service that names no address. */
export function withClusterIps(objects: readonly KubeObject[]): readonly KubeObject[] {
  let next = 0;
  return objects.map((object) => {
    const { spec } = object as ServiceView;
    if (object.kind !== "Service" || spec === undefined || spec.type === "ExternalName" || spec.clusterIP !== undefined)
      return object;
    next += 1;
    return { ...object, spec: { ...spec, clusterIP: `10.96.8.${next}` } };
  });
}

/** What the cluster's DNS answers to a program of the namespace; an ExternalName is an alias. */
export function resolveName(objects: readonly KubeObject[], namespace: string, name: string): string | undefined {
  const [short = "", inNamespace = namespace] = name.split(".");
  const service = objects.find(
    ({ kind, metadata }) => kind === "Service" && metadata.name === short && metadata.namespace === inNamespace,
  ) as ServiceView | undefined;
  if (service?.spec?.externalName !== undefined) return resolveName(objects, namespace, service.spec.externalName);
  return service?.spec?.clusterIP;
}
