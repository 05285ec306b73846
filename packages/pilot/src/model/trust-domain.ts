/**
 * Principals of policies under a trust domain that has had other names: what is written for one of them means the workload under each.
 * A principal is `domain/ns/NAMESPACE/sa/ACCOUNT`; anything else is left as it stands. Spec: istio.io, Trust Domain Migration.
 */
export function withTrustDomainAliases(principals: readonly string[], domains: readonly string[]): readonly string[] {
  return principals.flatMap((principal) => {
    const own = domainOf(principal);
    if (own === undefined || !domains.some((domain) => overlaps(own, domain))) return [principal];
    const rest = principal.slice(own.length);
    // A pattern that covers a domain stays as it is for that one.
    return [...new Set(domains.map((domain) => (endsLike(domain, own) ? principal : `${domain}${rest}`)))];
  });
}

function domainOf(principal: string): string | undefined {
  const parts = principal.split("/");
  return parts.length === 5 && parts[1] === "ns" && parts[3] === "sa" ? parts[0] : undefined;
}

function overlaps(a: string, b: string): boolean {
  return a === b || endsLike(a, b) || endsLike(b, a) || beginsLike(a, b) || beginsLike(b, a);
}

function endsLike(text: string, pattern: string): boolean {
  return pattern.startsWith("*") && text.endsWith(pattern.slice(1));
}

function beginsLike(text: string, pattern: string): boolean {
  return pattern.endsWith("*") && text.startsWith(pattern.slice(0, -1));
}
