/** Traffic policies: connection pools, outlier detection, client TLS. Source: Istio reference, networking/destination-rule. */
import { isTree, listAt, numberAt, type Tree, textAt, treeAt } from "../tree.ts";
import { isIpAddress } from "../validate/names.ts";
import type { Findings } from "./findings.ts";
import { checkLoadBalancer } from "./load-balancer.ts";
import { fqdnFault } from "./names.ts";
import { checkDuration, checkNonNegative, checkPercentage, checkPortNumber } from "./values.ts";

const FIELDS = [
  "outlierDetection",
  "connectionPool",
  "loadBalancer",
  "tls",
  "portLevelSettings",
  "tunnel",
  "proxyProtocol",
  "retryBudget",
];

export function checkTrafficPolicy(policy: unknown, path: string, to: Findings): void {
  if (!isTree(policy)) return;
  if (FIELDS.every((field) => policy[field] === undefined || policy[field] === null)) {
    to.error(path, "traffic policy must have at least one field");
  }
  checkSettings(policy, path, to);
  const { tunnel, retryBudget } = policy;
  if (isTree(tunnel) && isTree(policy.proxyProtocol))
    to.error(path, "tunnel and proxyProtocol must not be set together");
  if (isTree(tunnel)) checkTunnel(tunnel, `${path}.tunnel`, to);
  if (isTree(retryBudget)) {
    checkPercentage(retryBudget.percent, `${path}.retryBudget.percent`, to);
    checkNonNegative(retryBudget, ["minRetryConcurrency"], `${path}.retryBudget`, to);
  }
  for (const [index, level] of listAt(policy, "portLevelSettings").entries()) {
    const at = `${path}.portLevelSettings[${index}]`;
    const settings = treeAt(level);
    if (["outlierDetection", "connectionPool", "loadBalancer", "tls"].every((field) => !isTree(settings[field]))) {
      to.error(at, "port level traffic policy must have at least one field");
    }
    if (!isTree(settings.port)) to.error(`${at}.port`, "portTrafficPolicy must have valid port");
    else checkPortNumber(settings.port.number, `${at}.port.number`, to);
    checkSettings(settings, at, to);
  }
}

function checkSettings(settings: Tree, path: string, to: Findings): void {
  const { outlierDetection, connectionPool, loadBalancer, tls } = settings;
  if (isTree(outlierDetection)) checkOutlierDetection(outlierDetection, `${path}.outlierDetection`, to);
  checkConnectionPool(connectionPool, `${path}.connectionPool`, to);
  if (isTree(loadBalancer)) checkLoadBalancer(loadBalancer, isTree(outlierDetection), `${path}.loadBalancer`, to);
  if (isTree(tls)) checkClientTls(tls, `${path}.tls`, to);
}

export function checkConnectionPool(pool: unknown, path: string, to: Findings): void {
  if (!isTree(pool)) return;
  const { tcp, http } = pool;
  if (!isTree(tcp) && !isTree(http)) to.error(path, "connection pool must have at least one field");
  if (isTree(http)) {
    checkNonNegative(
      http,
      ["http1MaxPendingRequests", "http2MaxRequests", "maxRequestsPerConnection", "maxRetries", "maxConcurrentStreams"],
      `${path}.http`,
      to,
    );
    checkDuration(http.idleTimeout, `${path}.http.idleTimeout`, to);
    if (http.h2UpgradePolicy === "UPGRADE" && http.useClientProtocol === true) {
      to.error(`${path}.http`, "use client protocol must not be true when H2UpgradePolicy is UPGRADE");
    }
  }
  if (!isTree(tcp)) return;
  checkNonNegative(tcp, ["maxConnections"], `${path}.tcp`, to);
  for (const field of ["connectTimeout", "maxConnectionDuration"])
    checkDuration(tcp[field], `${path}.tcp.${field}`, to);
  checkDuration(tcp.idleTimeout, `${path}.tcp.idleTimeout`, to, true);
  for (const field of ["time", "interval"]) {
    checkDuration(treeAt(tcp.tcpKeepalive)[field], `${path}.tcp.tcpKeepalive.${field}`, to);
  }
}

function checkOutlierDetection(detection: Tree, path: string, to: Findings): void {
  for (const field of ["interval", "baseEjectionTime"]) checkDuration(detection[field], `${path}.${field}`, to);
  for (const field of ["maxEjectionPercent", "minHealthPercent"])
    checkPercentage(detection[field], `${path}.${field}`, to);
  const legacy = numberAt(detection, "consecutiveErrors") ?? 0;
  if (legacy < 0) to.error(`${path}.consecutiveErrors`, "outlier detection consecutive errors cannot be negative");
  else if (legacy > 0) {
    to.warn(
      "outlier detection consecutive errors is deprecated, use consecutiveGatewayErrors or consecutive5xxErrors instead",
    );
  }
  checkNonNegative(
    detection,
    ["consecutive5xxErrors", "consecutiveGatewayErrors", "consecutiveLocalOriginFailures"],
    path,
    to,
  );
  if (
    detection.splitExternalLocalOriginErrors !== true &&
    (numberAt(detection, "consecutiveLocalOriginFailures") ?? 0) > 0
  ) {
    to.error(
      path,
      "outlier detection consecutive local origin failures is specified, but split external local origin errors is set to false",
    );
  }
}

function checkClientTls(tls: Tree, path: string, to: Findings): void {
  const has = (field: string) => (textAt(tls, field) ?? "") !== "";
  const mode = textAt(tls, "mode") ?? "DISABLE";
  if (tls.insecureSkipVerify === true) {
    if (mode === "SIMPLE" || mode === "MUTUAL") {
      if (has("caCertificates"))
        to.error(path, "cannot specify CA certificates when insecureSkipVerify is set to true");
      if (mode === "SIMPLE" && has("credentialName")) {
        to.error(path, "cannot specify CredentialName when insecureSkipVerify is set to true in SIMPLE mode");
      }
      if (listAt(tls, "subjectAltNames").length > 0) {
        to.error(path, "cannot specify SubjectAltNames when insecureSkipVerify is set to true");
      }
    }
  }
  if ((mode === "SIMPLE" || mode === "MUTUAL") && has("credentialName")) {
    if (has("clientCertificate") || has("caCertificates") || has("privateKey") || has("caCrl")) {
      to.error(path, `cannot specify client certificates, CA certificates or CRL if credentialName is set`);
    }
    return;
  }
  if (mode !== "MUTUAL") return;
  if (!has("clientCertificate")) to.error(path, "client certificate required for mutual tls");
  if (!has("privateKey")) to.error(path, "private key required for mutual tls");
}

function checkTunnel(tunnel: Tree, path: string, to: Findings): void {
  const protocol = textAt(tunnel, "protocol") ?? "";
  if (protocol !== "" && protocol !== "CONNECT" && protocol !== "POST") {
    to.error(`${path}.protocol`, 'tunnel protocol must be "CONNECT" or "POST"');
  }
  const host = textAt(tunnel, "targetHost") ?? "";
  if (host === "") to.error(`${path}.targetHost`, "tunnel target host must not be empty");
  else if (!isIpAddress(host) && fqdnFault(host) !== undefined) {
    to.error(`${path}.targetHost`, `tunnel target host "${host}" is not a valid FQDN or IP address`);
  }
  checkPortNumber(tunnel.targetPort, `${path}.targetPort`, to);
}
