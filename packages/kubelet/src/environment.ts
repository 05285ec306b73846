/**
 * The environment of a container, pure. Order, later wins: host basics, image, service links, envFrom, env; then what the runtime itself needs.
 * `$(VAR)` in env values sees what came before it. A reference to a missing ConfigMap or Secret is CreateContainerConfigError unless optional.
 * Source: Kubernetes API reference, Container.env and envFrom; "Accessing the Service", environment variables.
 */
import { err, ok, type Problem, type Result } from "@argyle/core";
import type { ConfigMap, Container, EnvVar, KeySelector, Pod, Secret, Service } from "@argyle/kube-types";
import { type NodeFacts, readPodField, readResourceField } from "./downward.ts";
import { expandVariables } from "./expand.ts";

export interface EnvironmentInputs {
  readonly pod: Pod;
  readonly container: Container;
  readonly podIP: string;
  readonly node: NodeFacts;
  readonly imageEnv: Readonly<Record<string, string>>;
  /** PATH, HOME, LANG … of the host. */
  readonly hostEnv: Readonly<Record<string, string>>;
  /** All Services of the pod's namespace, and default/kubernetes. */
  readonly services: readonly Service[];
  readonly configMap: (name: string) => ConfigMap | undefined;
  readonly secret: (name: string) => Secret | undefined;
}

export function buildEnvironment(inputs: EnvironmentInputs): Result<Readonly<Record<string, string>>> {
  const problems: Problem[] = [];
  const { pod, container } = inputs;
  const env: Record<string, string> = {
    ...inputs.hostEnv,
    ...inputs.imageEnv,
    HOSTNAME: pod.spec.hostname ?? pod.metadata.name,
    ...serviceVariables(pod, inputs.services),
  };
  for (const [i, source] of (container.envFrom ?? []).entries()) {
    const path = `envFrom[${i}]`;
    const prefix = source.prefix ?? "";
    if (source.configMapRef !== undefined) {
      const found = inputs.configMap(source.configMapRef.name);
      if (found === undefined && source.configMapRef.optional !== true) {
        problems.push({ path, message: `configmap "${source.configMapRef.name}" not found` });
      }
      for (const [key, value] of Object.entries(found?.data ?? {})) env[prefix + key] = value;
    }
    if (source.secretRef !== undefined) {
      const found = inputs.secret(source.secretRef.name);
      if (found === undefined && source.secretRef.optional !== true) {
        problems.push({ path, message: `secret "${source.secretRef.name}" not found` });
      }
      for (const [key, value] of Object.entries(found?.data ?? {})) env[prefix + key] = decodeBase64(value);
    }
  }
  for (const [i, variable] of (container.env ?? []).entries()) {
    const value = readVariable(variable, inputs, env);
    if (!value.ok) problems.push({ path: `env[${i}]`, message: value.error });
    else if (value.value !== undefined) env[variable.name] = value.value;
  }
  return problems.length === 0 ? ok(env) : err(problems);
}

function readVariable(
  variable: EnvVar,
  inputs: EnvironmentInputs,
  env: Readonly<Record<string, string>>,
): Result<string | undefined, string> {
  const from = variable.valueFrom;
  if (from === undefined) return ok(expandVariables(variable.value ?? "", (name) => env[name]));
  if (from.fieldRef !== undefined) {
    const value = readPodField(inputs.pod, inputs.podIP, inputs.node, from.fieldRef);
    return value === undefined ? err(`unsupported fieldPath ${from.fieldRef.fieldPath}`) : ok(value);
  }
  if (from.resourceFieldRef !== undefined) {
    const value = readResourceField(inputs.pod, inputs.container.name, inputs.node, from.resourceFieldRef);
    return value === undefined ? err(`unsupported resource ${from.resourceFieldRef.resource}`) : ok(value);
  }
  if (from.configMapKeyRef !== undefined) {
    return readKey("configmap", from.configMapKeyRef, inputs.configMap(from.configMapKeyRef.name)?.data);
  }
  if (from.secretKeyRef !== undefined) {
    const read = readKey("secret", from.secretKeyRef, inputs.secret(from.secretKeyRef.name)?.data);
    return read.ok && read.value !== undefined ? ok(decodeBase64(read.value)) : read;
  }
  return err("valueFrom names no source");
}

function readKey(
  kind: string,
  ref: KeySelector,
  from: Readonly<Record<string, string>> | undefined,
): Result<string | undefined, string> {
  const value = from?.[ref.key];
  if (value !== undefined || ref.optional === true) return ok(value);
  return err(
    from === undefined ? `${kind} "${ref.name}" not found` : `couldn't find key ${ref.key} in ${kind} ${ref.name}`,
  );
}

/** The API server's variables always, those of the namespace's other Services unless enableServiceLinks is false. */
function serviceVariables(pod: Pod, services: readonly Service[]): Readonly<Record<string, string>> {
  const env: Record<string, string> = {};
  for (const service of services) {
    const { name, namespace } = service.metadata;
    const isApiServer = name === "kubernetes" && namespace === "default";
    const isLinked = namespace === pod.metadata.namespace && pod.spec.enableServiceLinks !== false;
    const ip = service.spec.clusterIP;
    const first = service.spec.ports?.[0];
    if (!(isApiServer || isLinked) || ip === undefined || ip === "" || ip === "None" || first === undefined) continue;
    const prefix = name.toUpperCase().replaceAll("-", "_");
    env[`${prefix}_SERVICE_HOST`] = ip;
    env[`${prefix}_SERVICE_PORT`] = String(first.port);
    env[`${prefix}_PORT`] = `tcp://${ip}:${first.port}`;
    for (const port of service.spec.ports ?? []) {
      const protocol = (port.protocol ?? "TCP").toLowerCase();
      if (port.name !== undefined && port.name !== "") {
        env[`${prefix}_SERVICE_PORT_${port.name.toUpperCase().replaceAll("-", "_")}`] = String(port.port);
      }
      const base = `${prefix}_PORT_${port.port}_${protocol.toUpperCase()}`;
      env[base] = `${protocol}://${ip}:${port.port}`;
      env[`${base}_PROTO`] = protocol;
      env[`${base}_PORT`] = String(port.port);
      env[`${base}_ADDR`] = ip;
    }
  }
  return env;
}

function decodeBase64(text: string): string {
  return Buffer.from(text, "base64").toString("utf8");
}
