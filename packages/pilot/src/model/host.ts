/** Host names of Istio configuration: short names, wildcards, specificity. Spec: istio.io reference, VirtualService.hosts. */

/** The fully qualified name of a host in a manifest: a name without a dot belongs to the namespace of its configuration. */
export function resolveHost(host: string, namespace: string, domain: string): string {
  if (host === "" || host.includes(".") || host.startsWith("*") || isIpAddress(host)) return host.toLowerCase();
  return `${host.toLowerCase()}.${namespace}.svc.${domain}`;
}

/** Does `pattern` (exact, `*`, `*.x`) cover `host`, which may itself be a pattern? */
export function hostCovers(pattern: string, host: string): boolean {
  if (pattern === host || pattern === "*") return true;
  if (!pattern.startsWith("*")) return false;
  const suffix = pattern.slice(1);
  return host.startsWith("*") ? host.slice(1).endsWith(suffix) : host.endsWith(suffix) && host.length > suffix.length;
}

/** True when some host is covered by both patterns. */
export function hostsOverlap(a: string, b: string): boolean {
  return hostCovers(a, b) || hostCovers(b, a);
}

/** Ranks a pattern that covers a host: exact names first, then the longest wildcard. */
export function hostSpecificity(pattern: string): number {
  return pattern.startsWith("*") ? pattern.length : 100_000;
}

export function isIpAddress(text: string): boolean {
  return /^\d+\.\d+\.\d+\.\d+$/.test(text) || (text.includes(":") && /^[0-9a-fA-F:.]+$/.test(text));
}
