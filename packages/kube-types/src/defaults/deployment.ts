/** Defaults of a Deployment and a ReplicaSet. Source: Kubernetes API reference, apps/v1 DeploymentSpec, ReplicaSetSpec. */
import { mapMember, type Tree, withDefaults } from "../tree.ts";
import { podTemplateDefaults } from "./pod.ts";

export function deploymentDefaults(deployment: Tree): Tree {
  return mapMember(deployment, "spec", (spec) => {
    const result = withDefaults(spec, {
      replicas: 1,
      strategy: {},
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
    });
    return podTemplateDefaults(mapMember(result, "strategy", strategyDefaults));
  });
}

export function replicaSetDefaults(replicaSet: Tree): Tree {
  return mapMember(replicaSet, "spec", (spec) => podTemplateDefaults(withDefaults(spec, { replicas: 1 })));
}

function strategyDefaults(strategy: Tree): Tree {
  const typed = withDefaults(strategy, { type: "RollingUpdate" });
  if (typed.type !== "RollingUpdate") return typed;
  return mapMember(withDefaults(typed, { rollingUpdate: {} }), "rollingUpdate", (rolling) =>
    withDefaults(rolling, { maxSurge: "25%", maxUnavailable: "25%" }),
  );
}
