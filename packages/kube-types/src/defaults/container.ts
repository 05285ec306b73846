/** Defaults of a container. Source: Kubernetes API reference, core/v1 Container, Probe; "Images", imagePullPolicy defaulting. */
import { mapEntries, mapMember, type Tree, withDefaults } from "../tree.ts";

export function containerDefaults(container: Tree): Tree {
  const { image } = container;
  let result = withDefaults(container, {
    imagePullPolicy: typeof image === "string" && image !== "" ? pullPolicy(image) : undefined,
    terminationMessagePath: "/dev/termination-log",
    terminationMessagePolicy: "File",
    resources: {},
  });
  result = mapEntries(result, "ports", (port) => withDefaults(port, { protocol: "TCP" }));
  result = mapEntries(result, "env", (env) => mapMember(env, "valueFrom", fieldRefDefaults));
  for (const probe of ["livenessProbe", "readinessProbe", "startupProbe"]) {
    result = mapMember(result, probe, probeDefaults);
  }
  return mapMember(result, "lifecycle", (lifecycle) =>
    ["postStart", "preStop"].reduce((l, hook) => mapMember(l, hook, handlerDefaults), lifecycle),
  );
}

export function fieldRefDefaults(source: Tree): Tree {
  const withField = mapMember(source, "fieldRef", (ref) => withDefaults(ref, { apiVersion: "v1" }));
  return mapMember(withField, "resourceFieldRef", (ref) => withDefaults(ref, { divisor: "0" }));
}

/** `latest` and no tag mean Always; a digest or any other tag IfNotPresent. */
function pullPolicy(image: string): string {
  if (image.includes("@")) return "IfNotPresent";
  const tag = /:([^/:]+)$/.exec(image)?.[1];
  return tag === undefined || tag === "latest" ? "Always" : "IfNotPresent";
}

function probeDefaults(probe: Tree): Tree {
  const timed = withDefaults(probe, { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 });
  return mapMember(handlerDefaults(timed), "grpc", (grpc) => withDefaults(grpc, { service: "" }));
}

function handlerDefaults(handler: Tree): Tree {
  return mapMember(handler, "httpGet", (get) => withDefaults(get, { path: "/", scheme: "HTTP" }));
}
