/**
 * How programs without the preload (curl, python, shells) reach the mesh: one forward proxy for the node on 127.0.0.1, served by kube-proxy. A pod
 * is recognised by the credentials in its proxy URL, `http://<podIP>:<token>@127.0.0.1:<port>`: the token is an HMAC of the pod's address, so the kubelet makes
 * it and kube-proxy checks it with nothing between them but one small file, `$RUN/http-proxy.json`. Both sides of that file are here.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errnoOf, MeshError } from "@argyle/core";

export interface HttpProxyAddress {
  readonly port: number;
  /** Secret of this run: hex. */
  readonly key: string;
}

const TOKEN_BYTES = 16;

/** Undefined until kube-proxy has chosen a port for the first time in this run. */
export function readHttpProxyAddress(runDir: string): HttpProxyAddress | undefined {
  const path = fileIn(runDir);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
  const parsed = JSON.parse(text) as Partial<HttpProxyAddress>;
  if (typeof parsed.port === "number" && typeof parsed.key === "string") return { port: parsed.port, key: parsed.key };
  throw new MeshError(`${path} names no port and key`, { code: "pod-network.http-proxy.invalid" });
}

export function writeHttpProxyAddress(runDir: string, address: HttpProxyAddress): void {
  const path = fileIn(runDir);
  writeFileSync(`${path}.tmp`, JSON.stringify(address), { mode: 0o600 });
  renameSync(`${path}.tmp`, path);
}

/** What a program of that pod needs in its environment. Both cases, because curl reads `http_proxy` only in lower case. */
export function httpProxyEnvironment(address: HttpProxyAddress, podIP: string): Readonly<Record<string, string>> {
  const url = `http://${podIP}:${httpProxyToken(address.key, podIP)}@127.0.0.1:${address.port}`;
  const env: Record<string, string> = {};
  for (const name of ["http_proxy", "https_proxy", "all_proxy"]) {
    env[name] = url;
    env[name.toUpperCase()] = url;
  }
  // Nothing goes around it: localhost means the pod's own, which only the proxy can reach.
  env.no_proxy = "";
  env.NO_PROXY = "";
  return env;
}

export function isHttpProxyToken(key: string, podIP: string, token: string): boolean {
  const wanted = Buffer.from(httpProxyToken(key, podIP));
  const given = Buffer.from(token);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

function httpProxyToken(key: string, podIP: string): string {
  return createHmac("sha256", key).update(podIP).digest().subarray(0, TOKEN_BYTES).toString("hex");
}

function fileIn(runDir: string): string {
  return join(runDir, "http-proxy.json");
}
