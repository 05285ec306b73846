/** The sidecar injector: a pod in, a JSON patch out. Pure. What the pod says about the container `istio-proxy` itself wins over the template. */
import type { Container, Pod, Volume } from "@argyle/kube-types";
import type { MeshConfig } from "../model/mesh-config.ts";
import {
  CANONICAL_NAME_LABEL,
  CANONICAL_REVISION_LABEL,
  canonicalName,
  canonicalRevision,
  TLS_MODE_LABEL,
  workloadNameOf,
} from "../model/workload.ts";
import { decideInjection } from "./injection-policy.ts";
import { PROXY_CONTAINER, proxyContainer, proxyVolumes } from "./proxy-container.ts";

export interface PatchOperation {
  readonly op: "add" | "replace";
  readonly path: string;
  readonly value: unknown;
}

export interface InjectionTarget {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface InjectOptions {
  readonly mesh: MeshConfig;
  readonly caAddress: string;
  readonly revision: string;
}

/** Empty: the pod stays as it is. */
export function injectPod(pod: Pod, namespace: InjectionTarget, options: InjectOptions): readonly PatchOperation[] {
  const decision = decideInjection({
    pod,
    namespace: namespace.name,
    namespaceLabels: namespace.labels,
    revision: options.revision,
  });
  if (!decision.inject) return [];
  const { mesh, caAddress } = options;
  const own = proxyContainer({ pod, namespace: namespace.name, mesh, caAddress, template: decision.template });
  const index = pod.spec.containers.findIndex((container) => container.name === PROXY_CONTAINER);
  const given = pod.spec.containers[index];
  const held = new Set((pod.spec.volumes ?? []).map((volume) => volume.name));
  const volumes = proxyVolumes().filter((volume) => !held.has(volume.name));
  return [
    ...metadataPatch(pod, volumes, options.revision, decision.template === "gateway"),
    given === undefined
      ? { op: "add", path: "/spec/containers/-", value: own }
      : { op: "replace", path: `/spec/containers/${index}`, value: overlay(own, given) },
    ...listPatch("/spec/volumes", pod.spec.volumes, volumes),
  ];
}

function metadataPatch(
  pod: Pod,
  volumes: readonly Volume[],
  revision: string,
  isGateway: boolean,
): readonly PatchOperation[] {
  const labels = pod.metadata.labels ?? {};
  const annotations = pod.metadata.annotations ?? {};
  const [first] = pod.spec.containers.filter((container) => container.name !== PROXY_CONTAINER);
  const added: Record<string, string> = {
    [TLS_MODE_LABEL]: "istio",
    [CANONICAL_NAME_LABEL]: canonicalName(labels, workloadNameOf(pod.metadata)),
    [CANONICAL_REVISION_LABEL]: canonicalRevision(labels),
  };
  const status = {
    initContainers: null,
    containers: [PROXY_CONTAINER],
    volumes: volumes.map((volume) => volume.name),
    imagePullSecrets: null,
    revision,
  };
  const notes: Record<string, string> = {
    "sidecar.istio.io/status": JSON.stringify(status),
    "istio.io/rev": revision,
  };
  if (first !== undefined && !isGateway) {
    notes["kubectl.kubernetes.io/default-container"] = first.name;
    notes["kubectl.kubernetes.io/default-logs-container"] = first.name;
  }
  // The proxy answers for itself and the program on one port.
  if (annotations["prometheus.io/scrape"] !== "false" && annotations["prometheus.istio.io/merge-metrics"] !== "false") {
    notes["prometheus.io/scrape"] = "true";
    notes["prometheus.io/port"] = "15020";
    notes["prometheus.io/path"] = "/stats/prometheus";
  }
  const always = new Set(["prometheus.io/scrape", "prometheus.io/port", "prometheus.io/path"]);
  return [
    ...mapPatch("/metadata/labels", pod.metadata.labels, added, () => false),
    ...mapPatch("/metadata/annotations", pod.metadata.annotations, notes, (name) => always.has(name)),
  ];
}

/** Adds what is missing; what is there stays unless `replaces` says so. */
function mapPatch(
  path: string,
  held: Readonly<Record<string, string>> | undefined,
  wanted: Readonly<Record<string, string>>,
  replaces: (name: string) => boolean,
): readonly PatchOperation[] {
  if (held === undefined) return [{ op: "add", path, value: wanted }];
  return Object.entries(wanted).flatMap(([name, value]): readonly PatchOperation[] => {
    if (held[name] === value || (held[name] !== undefined && !replaces(name))) return [];
    const pointer = `${path}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    return [{ op: held[name] === undefined ? "add" : "replace", path: pointer, value }];
  });
}

function listPatch(
  path: string,
  held: readonly unknown[] | undefined,
  wanted: readonly unknown[],
): readonly PatchOperation[] {
  if (held === undefined) return [{ op: "add", path, value: wanted }];
  return wanted.map((value) => ({ op: "add", path: `${path}/-`, value }));
}

function overlay(template: Container, given: Container): Container {
  const names = new Set((given.env ?? []).map((variable) => variable.name));
  const mounts = new Set((given.volumeMounts ?? []).map((mount) => mount.mountPath));
  const { image, ...rest } = given;
  const usesAuto = image === undefined || image === "auto";
  return {
    ...template,
    ...rest,
    ...(usesAuto ? {} : { image }),
    env: [...(template.env ?? []).filter((variable) => !names.has(variable.name)), ...(given.env ?? [])],
    ports: [...(template.ports ?? []), ...(given.ports ?? [])],
    volumeMounts: [
      ...(template.volumeMounts ?? []).filter((mount) => !mounts.has(mount.mountPath)),
      ...(given.volumeMounts ?? []),
    ],
  };
}
