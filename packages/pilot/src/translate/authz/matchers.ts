/**
 * The values of an AuthorizationPolicy as matchers: exact, `prefix*`, `*suffix` and `*` (present, not empty).
 * https://www.envoyproxy.io/docs/envoy/latest/api-v3/type/matcher/v3/string.proto
 */
import type { EnvoyMessage } from "../../model/json.ts";

const NOT_EMPTY: EnvoyMessage = { safe_regex: { regex: ".+" } };

export function textMatcher(value: string): EnvoyMessage {
  if (value === "*") return NOT_EMPTY;
  return wildcard(value, {});
}

function wildcard(value: string, extra: EnvoyMessage): EnvoyMessage {
  if (value.startsWith("*")) return { suffix: value.slice(1), ...extra };
  if (value.endsWith("*")) return { prefix: value.slice(0, -1), ...extra };
  return { exact: value, ...extra };
}

export function headerMatcher(name: string, value: string, ignoresCase = false): EnvoyMessage {
  if (value === "*") return { name, present_match: true };
  return { name, string_match: wildcard(value, ignoresCase ? { ignore_case: true } : {}) };
}

/** `cluster.local/ns/foo/sa/bar` as the URI of a certificate. */
export function principalMatcher(value: string): EnvoyMessage {
  const scheme = "spiffe://";
  if (value === "*") return NOT_EMPTY;
  if (value.startsWith("*")) return { safe_regex: { regex: `${scheme}.*${quote(value.slice(1))}` } };
  if (value.endsWith("*")) return { prefix: scheme + value.slice(0, -1) };
  return { exact: scheme + value };
}

export function namespaceMatcher(value: string): EnvoyMessage {
  return { safe_regex: { regex: `.*/ns/${value.split("*").map(quote).join(".*")}/.*` } };
}

export function trustDomainMatcher(value: string): EnvoyMessage {
  return { safe_regex: { regex: `spiffe://${value.split("*").map(quote).join("[^/]*")}/.*` } };
}

/** `namespace/account`, or an account of the policy's own namespace. */
export function serviceAccountMatcher(value: string, policyNamespace: string): EnvoyMessage {
  const slash = value.indexOf("/");
  const namespace = slash === -1 ? policyNamespace : value.slice(0, slash);
  // Other parts may stand between and behind, as in identities of other platforms.
  const regex = `spiffe://.+/ns/${quote(namespace)}/(.+/|)sa/${quote(value.slice(slash + 1))}(/.+)?`;
  return { safe_regex: { regex } };
}

export function pathPermission(value: string): EnvoyMessage {
  if (!value.includes("{*}") && !value.includes("{**}")) return { url_path: { path: textMatcher(value) } };
  return {
    uri_template: {
      name: "uri-template",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig",
        path_template: value.replaceAll("{*}", "*").replaceAll("{**}", "**"),
      },
    },
  };
}

export function cidr(value: string): EnvoyMessage {
  const [prefix = "", length] = value.split("/");
  const whole = prefix.includes(":") ? 128 : 32;
  return { address_prefix: prefix, prefix_len: length === undefined ? whole : Number(length) };
}

/** `issuer/subject`; a wildcard at an end without a slash stands for a part of the issuer, or of the subject. */
export function requestPrincipal(value: string): EnvoyMessage {
  const slash = value.lastIndexOf("/");
  const [issuer, subject] =
    slash !== -1 && value !== "*"
      ? [value.slice(0, slash), value.slice(slash + 1)]
      : value === "*"
        ? ["*", "*"]
        : value.startsWith("*")
          ? ["*", value]
          : value.endsWith("*")
            ? [value, "*"]
            : [value, ""];
  return {
    and_ids: {
      ids: [
        { metadata: claimMatcher(["iss"], { string_match: textMatcher(issuer) }) },
        { metadata: claimMatcher(["sub"], { string_match: textMatcher(subject) }) },
      ],
    },
  };
}

/** A claim that is a list needs one of the values, another must be one of them. */
export function claimValues(claims: readonly string[], values: readonly string[]): EnvoyMessage {
  const one = anyOf(values.map((value) => ({ string_match: textMatcher(value) })));
  return claimMatcher(claims, { or_match: { value_matchers: [{ list_match: { one_of: one } }, one] } });
}

export function metadataValues(filter: string, key: string, values: readonly string[]): EnvoyMessage {
  const matchers = values.map((value) => {
    const list = /^\[(.*)\]$/.exec(value);
    return list === null
      ? { string_match: textMatcher(value) }
      : { list_match: { one_of: { string_match: textMatcher(list[1] ?? "") } } };
  });
  return { filter, path: [{ key }], value: anyOf(matchers) };
}

function claimMatcher(claims: readonly string[], value: EnvoyMessage): EnvoyMessage {
  return {
    filter: "envoy.filters.http.jwt_authn",
    path: ["payload", ...claims].map((key) => ({ key })),
    value,
  };
}

function anyOf(matchers: readonly EnvoyMessage[]): EnvoyMessage {
  const [only] = matchers;
  return matchers.length === 1 && only !== undefined ? only : { or_match: { value_matchers: matchers } };
}

/** RE2's QuoteMeta. */
function quote(text: string): string {
  return text.replace(/[\\.+*?()|[\]{}^$]/g, "\\$&");
}
