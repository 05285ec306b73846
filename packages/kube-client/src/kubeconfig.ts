/**
 * A kubeconfig's current context as a KubeConnection. Certificates may be inline or in files relative to the kubeconfig.
 * Not read: exec and auth-provider plugins, impersonation, basic auth; a user who has only those is a problem that is said.
 * Source: Kubernetes, "Organizing Cluster Access Using kubeconfig Files".
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describeError, err, ok, type Problem, type Result } from "@argyle/core";
import { parse } from "yaml";
import type { KubeConnection } from "./connection.ts";

export interface KubeconfigOptions {
  /** Another context than `current-context`. */
  readonly context?: string;
  /** Folder that file names are relative to; that of the kubeconfig. */
  readonly directory?: string;
  readonly readFile?: (path: string) => string;
}

type Fields = Readonly<Record<string, unknown>>;

export function loadKubeconfig(text: string, options: KubeconfigOptions = {}): Result<KubeConnection> {
  let root: Fields;
  try {
    root = fieldsOf(parse(text));
  } catch (thrown) {
    return err([{ path: "", message: `is not YAML: ${describeError(thrown)}` }]);
  }
  const problems: Problem[] = [];
  const contextName = options.context ?? textOf(root["current-context"]);
  const context = entry(root, "contexts", contextName, "context", problems);
  const cluster = entry(root, "clusters", textOf(context.cluster), "cluster", problems);
  const user = entry(root, "users", textOf(context.user), "user", problems);
  const readFile = options.readFile ?? ((path: string) => readFileSync(path, "utf8"));

  const pem = (from: Fields, field: string, where: string): string | undefined => {
    const inline = textOf(from[`${field}-data`]);
    if (inline !== undefined) return Buffer.from(inline, "base64").toString("utf8");
    const path = textOf(from[field]);
    if (path === undefined) return undefined;
    try {
      return readFile(resolve(options.directory ?? ".", path));
    } catch (thrown) {
      problems.push({ path: `${where}.${field}`, message: describeError(thrown) });
      return undefined;
    }
  };

  const server = textOf(cluster.server);
  if (server === undefined && problems.length === 0) problems.push({ path: "cluster.server", message: "is required" });
  if (server !== undefined && !/^https?:\/\//.test(server))
    problems.push({ path: "cluster.server", message: `is not a URL: ${server}` });
  const found = {
    ca: pem(cluster, "certificate-authority", "cluster"),
    tlsServerName: textOf(cluster["tls-server-name"]),
    cert: pem(user, "client-certificate", "user"),
    key: pem(user, "client-key", "user"),
    token: textOf(user.token),
    tokenFile: textOf(user.tokenFile),
  };
  if ("exec" in user || "auth-provider" in user)
    problems.push({ path: "user", message: "exec and auth-provider credentials are not supported" });
  if (server === undefined || problems.length > 0) return err(problems);
  return ok({
    server,
    ...(found.ca === undefined ? {} : { ca: found.ca }),
    ...(found.tlsServerName === undefined ? {} : { tlsServerName: found.tlsServerName }),
    ...(found.cert === undefined ? {} : { cert: found.cert }),
    ...(found.key === undefined ? {} : { key: found.key }),
    ...(found.token === undefined ? {} : { token: found.token }),
    ...(found.tokenFile === undefined ? {} : { tokenFile: resolve(options.directory ?? ".", found.tokenFile) }),
  });
}

/** The named entry of one of the kubeconfig's lists; empty and a problem when it is missing. */
function entry(root: Fields, list: string, name: string | undefined, field: string, problems: Problem[]): Fields {
  const all = root[list];
  const found = Array.isArray(all) ? all.map(fieldsOf).find((item) => item.name === name) : undefined;
  if (found === undefined) {
    // A missing context would repeat itself for its cluster and user.
    if (problems.length === 0) problems.push({ path: list, message: `has no entry named "${name ?? ""}"` });
    return {};
  }
  return fieldsOf(found[field]);
}

function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
