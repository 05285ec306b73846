/** A container: image, ports, environment, mounts, probes, resources. Source: Kubernetes API reference, core/v1 Container. */
import {
  duplicate,
  type FieldProblem,
  forbidden,
  invalid,
  notFound,
  notSupported,
  required,
} from "../field-problem.ts";
import { parseQuantity } from "../quantity.ts";
import { isAbsent, isTree, listAt, type Tree, textAt, treeAt } from "../tree.ts";
import { dnsLabel, environmentName, portName, portNumber } from "./names.ts";

export function validateContainer(container: Tree, path: string, volumes: ReadonlySet<string>): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const name = textAt(container, "name") ?? "";
  if (name === "") problems.push(required(`${path}.name`));
  else problems.push(...dnsLabel(name).map((text) => invalid(`${path}.name`, name, text)));
  const image = textAt(container, "image") ?? "";
  if (image === "") problems.push(required(`${path}.image`));
  else if (image !== image.trim()) {
    problems.push(invalid(`${path}.image`, image, "must not have leading or trailing whitespace"));
  }
  const policy = container.imagePullPolicy;
  if (!isAbsent(policy) && !["Always", "IfNotPresent", "Never"].includes(String(policy))) {
    problems.push(notSupported(`${path}.imagePullPolicy`, policy, ["Always", "IfNotPresent", "Never"]));
  }
  problems.push(...validatePorts(listAt(container, "ports"), `${path}.ports`));
  problems.push(...validateEnv(listAt(container, "env"), `${path}.env`));
  problems.push(...validateMounts(listAt(container, "volumeMounts"), `${path}.volumeMounts`, volumes));
  for (const probe of ["livenessProbe", "readinessProbe", "startupProbe"]) {
    const value = container[probe];
    if (isTree(value)) problems.push(...validateProbe(value, `${path}.${probe}`, probe !== "readinessProbe"));
  }
  for (const hook of ["postStart", "preStop"]) {
    const handler = treeAt(container, "lifecycle")[hook];
    if (isTree(handler)) problems.push(...validateHandler(handler, `${path}.lifecycle.${hook}`));
  }
  problems.push(...validateResources(treeAt(container, "resources"), `${path}.resources`));
  return problems;
}

function validatePorts(ports: readonly unknown[], path: string): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const names = new Set<string>();
  for (const [index, port] of ports.entries()) {
    const at = `${path}[${index}]`;
    const { name, containerPort, hostPort, protocol } = treeAt(port);
    if (typeof name === "string" && name !== "") {
      problems.push(...portName(name).map((text) => invalid(`${at}.name`, name, text)));
      if (names.has(name)) problems.push(duplicate(`${at}.name`, name));
      names.add(name);
    }
    if (isAbsent(containerPort) || containerPort === 0) problems.push(required(`${at}.containerPort`));
    else problems.push(...portNumber(containerPort).map((text) => invalid(`${at}.containerPort`, containerPort, text)));
    if (!isAbsent(hostPort) && hostPort !== 0) {
      problems.push(...portNumber(hostPort).map((text) => invalid(`${at}.hostPort`, hostPort, text)));
    }
    problems.push(...validateProtocol(protocol, `${at}.protocol`));
  }
  return problems;
}

export function validateProtocol(protocol: unknown, path: string): FieldProblem[] {
  if (isAbsent(protocol)) return [required(path)];
  return ["SCTP", "TCP", "UDP"].includes(String(protocol))
    ? []
    : [notSupported(path, protocol, ["SCTP", "TCP", "UDP"])];
}

const ENV_SOURCES = ["configMapKeyRef", "fieldRef", "resourceFieldRef", "secretKeyRef"];

function validateEnv(env: readonly unknown[], path: string): FieldProblem[] {
  return env.flatMap((entry, index) => {
    const at = `${path}[${index}]`;
    const { name, value, valueFrom } = treeAt(entry);
    const problems: FieldProblem[] = [];
    if (typeof name !== "string" || name === "") problems.push(required(`${at}.name`));
    else problems.push(...environmentName(name).map((text) => invalid(`${at}.name`, name, text)));
    if (!isTree(valueFrom)) return problems;
    const given = ENV_SOURCES.filter((source) => !isAbsent(valueFrom[source]));
    if (given.length === 0) {
      const text =
        "must specify one of: `configMapKeyRef`, `fieldRef`, `fileKeyRef`, `resourceFieldRef` or `secretKeyRef`";
      problems.push(invalid(`${at}.valueFrom`, "", text));
    } else if (typeof value === "string" && value !== "") {
      problems.push(invalid(`${at}.valueFrom`, "", "may not be specified when `value` is not empty"));
    } else if (given.length > 1) {
      problems.push(invalid(`${at}.valueFrom`, "", "may not have more than one field specified at a time"));
    }
    for (const source of ["configMapKeyRef", "secretKeyRef"]) {
      const ref = valueFrom[source];
      if (!isTree(ref)) continue;
      if ((textAt(ref, "name") ?? "") === "") problems.push(required(`${at}.valueFrom.${source}.name`));
      if ((textAt(ref, "key") ?? "") === "") problems.push(required(`${at}.valueFrom.${source}.key`));
    }
    const fieldRef = valueFrom.fieldRef;
    if (isTree(fieldRef) && (textAt(fieldRef, "fieldPath") ?? "") === "") {
      problems.push(required(`${at}.valueFrom.fieldRef.fieldPath`));
    }
    return problems;
  });
}

function validateMounts(mounts: readonly unknown[], path: string, volumes: ReadonlySet<string>): FieldProblem[] {
  const paths = new Set<string>();
  return mounts.flatMap((mount, index) => {
    const at = `${path}[${index}]`;
    const problems: FieldProblem[] = [];
    const name = textAt(mount, "name") ?? "";
    const mountPath = textAt(mount, "mountPath") ?? "";
    if (name === "") problems.push(required(`${at}.name`));
    else if (!volumes.has(name)) problems.push(notFound(`${at}.name`, name));
    if (mountPath === "") problems.push(required(`${at}.mountPath`));
    else if (paths.has(mountPath)) problems.push(invalid(`${at}.mountPath`, mountPath, "must be unique"));
    paths.add(mountPath);
    const subPath = textAt(mount, "subPath") ?? "";
    if (subPath.startsWith("/")) problems.push(invalid(`${at}.subPath`, subPath, "must be a relative path"));
    if (subPath.split("/").includes("..")) problems.push(invalid(`${at}.subPath`, subPath, "must not contain '..'"));
    return problems;
  });
}

const HANDLERS = ["exec", "httpGet", "tcpSocket", "grpc", "sleep"];

function validateProbe(probe: Tree, path: string, mustSucceedOnce: boolean): FieldProblem[] {
  const problems = validateHandler(probe, path);
  for (const field of [
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
  ]) {
    const value = probe[field];
    if (typeof value === "number" && value < 0) {
      problems.push(invalid(`${path}.${field}`, value, "must be greater than or equal to 0"));
    }
  }
  const { successThreshold } = probe;
  if (mustSucceedOnce && typeof successThreshold === "number" && successThreshold > 1) {
    problems.push(invalid(`${path}.successThreshold`, successThreshold, "must be 1"));
  }
  return problems;
}

function validateHandler(handler: Tree, path: string): FieldProblem[] {
  const given = HANDLERS.filter((kind) => !isAbsent(handler[kind]));
  if (given.length === 0) return [required(path, "must specify a handler type")];
  const problems = given
    .slice(1)
    .map((kind) => forbidden(`${path}.${kind}`, "may not specify more than 1 handler type"));
  const [first = ""] = given;
  const action = treeAt(handler[first]);
  if (first === "exec" && listAt(action, "command").length === 0) problems.push(required(`${path}.exec.command`));
  if (first === "httpGet" || first === "tcpSocket" || first === "grpc") {
    const { port } = action;
    const complaints = typeof port === "string" ? portName(port) : portNumber(port);
    problems.push(...complaints.map((text) => invalid(`${path}.${first}.port`, port, text)));
  }
  return problems;
}

function validateResources(resources: Tree, path: string): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const limits = treeAt(resources.limits);
  for (const [name, amount] of Object.entries(treeAt(resources.requests))) {
    const wanted = parseQuantity(amount);
    const limit = parseQuantity(limits[name]);
    if (wanted !== undefined && wanted < 0) {
      problems.push(invalid(`${path}.requests[${name}]`, String(amount), "must be greater than or equal to 0"));
    } else if (wanted !== undefined && limit !== undefined && wanted > limit) {
      const text = `must be less than or equal to ${name} limit of ${String(limits[name])}`;
      problems.push(invalid(`${path}.requests`, String(amount), text));
    }
  }
  return problems;
}
