/** The smallest valid object of every kind in the registry, under every served version; the kubectl tests create, read and delete each of them. */
import { apiVersionOf, RESOURCES, type Resource } from "@argyle/kube-types";

export interface SampleObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly [field: string]: unknown;
}

export interface Sample {
  readonly resource: Resource;
  readonly version: string;
  readonly object: SampleObject;
  /** The same with a field that no schema has, and that field's path. */
  readonly wrong: SampleObject;
  readonly wrongPath: string;
}

const podSpec = { containers: [{ name: "main", image: "host", command: ["sleep", "600"] }] };
const template = { metadata: { labels: { app: "minimal" } }, spec: podSpec };
const workload = { replicas: 0, selector: { matchLabels: { app: "minimal" } }, template };

const BODIES: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  Namespace: { spec: {} },
  Node: { spec: {} },
  Pod: { spec: podSpec },
  Service: { spec: { ports: [{ port: 80 }] } },
  Endpoints: {},
  ConfigMap: {},
  Secret: {},
  ServiceAccount: {},
  Event: { involvedObject: {} },
  Deployment: { spec: workload },
  ReplicaSet: { spec: workload },
  EndpointSlice: { addressType: "IPv4", endpoints: [] },
  MutatingWebhookConfiguration: {},
  ValidatingWebhookConfiguration: {},
  Lease: { spec: {} },
  VirtualService: { spec: { hosts: ["a"], http: [{ route: [{ destination: { host: "a" } }] }] } },
  DestinationRule: { spec: { host: "a" } },
  Gateway: { spec: { servers: [{ port: { number: 80, name: "http", protocol: "HTTP" }, hosts: ["*"] }] } },
  ServiceEntry: {
    spec: { hosts: ["a.example"], ports: [{ number: 80, name: "http", protocol: "HTTP" }], resolution: "DNS" },
  },
  Sidecar: { spec: {} },
  WorkloadEntry: { spec: { address: "10.0.0.1" } },
  WorkloadGroup: { spec: { template: {} } },
  EnvoyFilter: { spec: {} },
  ProxyConfig: { spec: {} },
  AuthorizationPolicy: { spec: {} },
  PeerAuthentication: { spec: {} },
  RequestAuthentication: { spec: {} },
  Telemetry: { spec: {} },
  WasmPlugin: { spec: { url: "oci://a/b" } },
};

/** Kinds without an entry above are an error: a new kind needs its minimal object here. */
export function minimalObjects(namespace: string, suffix: string): readonly Sample[] {
  return RESOURCES.flatMap((resource) =>
    resource.versions.map((version): Sample => {
      const body = BODIES[resource.kind];
      if (body === undefined) throw new Error(`test/minimal-objects.ts has no ${resource.kind}`);
      const name = `minimal-${version}-${suffix}`;
      const object: SampleObject = {
        apiVersion: apiVersionOf(resource, version),
        kind: resource.kind,
        metadata: resource.namespaced ? { name, namespace } : { name },
        ...body,
        ...(resource.kind === "Event" ? { involvedObject: { namespace } } : {}),
      };
      const spec = body.spec;
      return typeof spec === "object"
        ? {
            resource,
            version,
            object,
            wrong: { ...object, spec: { ...spec, noSuchField: 1 } },
            wrongPath: "spec.noSuchField",
          }
        : { resource, version, object, wrong: { ...object, noSuchField: 1 }, wrongPath: "noSuchField" };
    }),
  );
}
