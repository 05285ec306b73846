/**
 * Defaults of a Pod's spec and of a pod template. enableServiceLinks and requests-from-limits are set on Pods only, as in Kubernetes.
 * Not cosmetic: `kubectl debug` reads spec.securityContext without asking whether it is there.
 * Source: Kubernetes API reference, core/v1 PodSpec, Volume.
 */
import { isTree, mapEntries, mapMember, type Tree, withDefaults } from "../tree.ts";
import { containerDefaults, fieldRefDefaults } from "./container.ts";

const FILE_MODE = 0o644;

export function podDefaults(pod: Tree): Tree {
  return mapMember(pod, "spec", (spec) => {
    const withTemplate = withDefaults(podSpecDefaults(spec), { enableServiceLinks: true });
    return ["containers", "initContainers"].reduce((s, list) => mapEntries(s, list, requestsFromLimits), withTemplate);
  });
}

export function podTemplateDefaults(owner: Tree): Tree {
  return mapMember(owner, "template", (template) => mapMember(template, "spec", podSpecDefaults));
}

function podSpecDefaults(spec: Tree): Tree {
  let result = withDefaults(spec, {
    restartPolicy: "Always",
    dnsPolicy: "ClusterFirst",
    terminationGracePeriodSeconds: 30,
    securityContext: {},
    schedulerName: "default-scheduler",
    serviceAccountName: spec.serviceAccount,
    serviceAccount: spec.serviceAccountName,
  });
  for (const list of ["containers", "initContainers", "ephemeralContainers"]) {
    result = mapEntries(result, list, containerDefaults);
  }
  if (spec.hostNetwork === true) {
    for (const list of ["containers", "initContainers"]) result = mapEntries(result, list, hostPorts);
  }
  return mapEntries(result, "volumes", volumeDefaults);
}

/** On the host's network a container port is a host port. */
function hostPorts(container: Tree): Tree {
  return mapEntries(container, "ports", (port) => withDefaults(port, { hostPort: port.containerPort }));
}

function requestsFromLimits(container: Tree): Tree {
  return mapMember(container, "resources", (resources) => {
    const { limits, requests } = resources;
    if (!isTree(limits)) return resources;
    const filled = withDefaults(isTree(requests) ? requests : {}, limits);
    return filled === requests ? resources : { ...resources, requests: filled };
  });
}

function volumeDefaults(volume: Tree): Tree {
  const hasSource = Object.keys(volume).some((key) => key !== "name" && volume[key] !== null);
  let result: Tree = hasSource ? volume : { ...volume, emptyDir: {} };
  for (const source of ["configMap", "secret", "downwardAPI", "projected"]) {
    result = mapMember(result, source, (s) => withDefaults(s, { defaultMode: FILE_MODE }));
  }
  result = mapMember(result, "hostPath", (s) => withDefaults(s, { type: "" }));
  result = mapMember(result, "downwardAPI", downwardDefaults);
  return mapMember(result, "projected", (projected) =>
    mapEntries(projected, "sources", (source) =>
      mapMember(
        mapMember(source, "serviceAccountToken", (token) => withDefaults(token, { expirationSeconds: 3600 })),
        "downwardAPI",
        downwardDefaults,
      ),
    ),
  );
}

function downwardDefaults(source: Tree): Tree {
  return mapEntries(source, "items", fieldRefDefaults);
}
