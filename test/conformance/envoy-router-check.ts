/**
 * Envoy's router check tool: NAME.yaml is a RouteConfiguration, NAME.golden.proto.json (or .yaml) asks which route, cluster, rewrite and
 * headers a request gets. The tool has its own runtime: a runtime_fraction holds only for the key that the test names.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/configuration/operations/tools/router_check
 */
import { createHeaderBlock } from "@argyle/codec";
import { parse } from "yaml";
import { type Case, difference, judge, notApplicable, type Verdict } from "./case.ts";
import { evaluateRoute, type HttpRequest, matchesHeader } from "./evaluate-route.ts";
import type { PeerFolder } from "./peer-folder.ts";

interface RouterTest {
  readonly test_name: string;
  readonly input: {
    readonly authority: string;
    readonly path: string;
    readonly method?: string;
    readonly ssl?: boolean;
    readonly internal?: boolean;
    readonly runtime?: string;
    readonly random_value?: number | string;
    readonly additional_request_headers?: readonly { readonly key: string; readonly value: string }[];
    readonly additional_response_headers?: readonly { readonly key: string; readonly value: string }[];
    readonly dynamic_metadata?: readonly {
      readonly metadata_namespace: string;
      readonly value: unknown;
      readonly allow_overwrite?: boolean;
    }[];
  };
  readonly validate: Readonly<Record<string, unknown>>;
}

interface RuntimeFraction {
  readonly runtime_key?: string;
  readonly default_value?: { readonly numerator?: number; readonly denominator?: string };
}
interface PeerRoute {
  readonly match?: { readonly runtime_fraction?: RuntimeFraction };
}
interface PeerTable {
  readonly virtual_hosts?: readonly {
    readonly routes?: readonly PeerRoute[];
    readonly virtual_clusters?: unknown;
  }[];
}

const GOLDEN = /\.golden\.proto\.(json|yaml)$/;

export async function* replay(dir: PeerFolder): AsyncGenerator<Case> {
  for (const file of dir.files("").filter((name) => GOLDEN.test(name))) {
    const stem = file.replace(GOLDEN, "");
    const { tests } = parse(dir.text(file)) as { readonly tests: readonly RouterTest[] };
    const config = `${stem}.yaml`;
    const table = dir.has(config) ? (parse(dir.text(config)) as PeerTable) : undefined;
    for (const one of tests) {
      const id = `${file} ${one.test_name}`;
      if (table === undefined) yield notApplicable(id, `the data holds no route table ${config}`);
      else yield await judge(id, () => verdictOf(table, one));
    }
  }
}

function verdictOf(table: PeerTable, { input, validate }: RouterTest): Verdict {
  const hosts = table.virtual_hosts ?? [];
  const routes = hosts.flatMap((host) => host.routes ?? []);
  const random = Number(input.random_value ?? 0);
  if (hosts.some((host) => host.virtual_clusters !== undefined) && (validate.virtual_cluster_name ?? "") !== "")
    return { missing: "virtual clusters" };
  if (routes.some((route) => isAtEdge(route.match?.runtime_fraction, input.runtime, random)))
    return { missing: "the tool's own runtime, which counts a random value equal to the numerator; Envoy's does not" };

  const request: HttpRequest = {
    method: input.method ?? "GET",
    path: input.path,
    authority: input.authority,
    scheme: input.ssl === true ? "https" : "http",
    dynamicMetadata: (filter) =>
      input.dynamic_metadata
        ?.filter(({ metadata_namespace }) => metadata_namespace === filter)
        .reduce(
          (held: unknown, { value, allow_overwrite }) => (held === undefined || allow_overwrite ? value : held),
          undefined,
        ),
    headers: createHeaderBlock(
      (input.additional_request_headers ?? []).map(({ key, value }) => [key.toLowerCase(), value]),
    ),
  };
  const response = (input.additional_response_headers ?? []).map(
    ({ key, value }) => [key.toLowerCase(), value] as const,
  );
  const answer = evaluateRoute(withRuntime(table, input.runtime), request, {
    random,
    isInternal: input.internal === true,
    responseHeaders: response,
  });
  const out: string[] = [...answer.problems];
  for (const [name, want] of Object.entries(validate)) {
    switch (name) {
      case "cluster_name":
        out.push(...difference(name, answer.cluster, want));
        break;
      case "virtual_host_name":
        out.push(...difference(name, answer.virtualHost, want));
        break;
      case "virtual_cluster_name":
        out.push(...difference(name, "", want));
        break;
      case "path_rewrite":
        out.push(...difference(name, answer.path, want));
        break;
      case "host_rewrite":
        out.push(...difference(name, answer.authority, want));
        break;
      case "path_redirect":
        out.push(...difference(name, answer.location, want));
        break;
      case "code_redirect":
        out.push(...difference(name, answer.status, want));
        break;
      case "request_header_matches":
        for (const matcher of want as readonly object[])
          if (!matchesHeader(matcher, answer.request))
            out.push(`the request does not match ${JSON.stringify(matcher)}`);
        break;
      case "response_header_matches":
        for (const matcher of want as readonly object[])
          if (!matchesHeader(matcher, answer.response))
            out.push(`the response does not match ${JSON.stringify(matcher)}`);
        break;
      default:
        return { missing: `the check ${name}` };
    }
  }
  return out;
}

const DENOMINATORS: Readonly<Record<string, number>> = { HUNDRED: 100, TEN_THOUSAND: 10_000, MILLION: 1_000_000 };

function isAtEdge(fraction: RuntimeFraction | undefined, key: string | undefined, random: number): boolean {
  if (fraction?.runtime_key === undefined || fraction.runtime_key !== key) return false;
  const { numerator = 0, denominator = "HUNDRED" } = fraction.default_value ?? {};
  return random % (DENOMINATORS[denominator] ?? 100) === numerator;
}

/** A fraction of another key than the active one is off. */
function withRuntime(table: PeerTable, key: string | undefined): PeerTable {
  return {
    ...table,
    virtual_hosts: (table.virtual_hosts ?? []).map((host) => ({
      ...host,
      routes: (host.routes ?? []).map((route) => {
        const fraction = route.match?.runtime_fraction;
        if (fraction === undefined || (key !== undefined && fraction.runtime_key === key)) return route;
        return { ...route, match: { ...route.match, runtime_fraction: { default_value: { numerator: 0 } } } };
      }),
    })),
  };
}
