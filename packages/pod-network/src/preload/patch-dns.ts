/**
 * Cluster names for programs that resolve before they dial (grpc-js, drivers, health checks). Names of the cluster are answered from
 * `$RUN/dns`; a name of the cluster's zone that is not there does not exist; every other name is asked as always.
 */
import dns from "node:dns";
import { promisify } from "node:util";
import { nameNotFound } from "./patch-connect.ts";
import type { Router } from "./route.ts";

type Answer = readonly string[] | "unknown" | undefined;
type Callback = (error: Error | null, ...results: unknown[]) => void;
type DnsFunction = (...args: unknown[]) => unknown;

export function patchDns(router: Router): void {
  patchLookup(router);
  for (const owner of [dns, dns.Resolver.prototype]) patchCallbackResolve(owner, router);
  for (const owner of [dns.promises, dns.promises.Resolver.prototype]) patchPromiseResolve(owner, router);
}

function patchLookup(router: Router): void {
  const lookupAsNode = dns.lookup as DnsFunction;
  const lookup = (hostname: unknown, ...rest: unknown[]): unknown => {
    const answer = typeof hostname === "string" ? router.lookup(hostname) : undefined;
    const callback = rest.at(-1);
    if (answer === undefined || typeof callback !== "function") return lookupAsNode(hostname, ...rest);
    const options = lookupOptions(rest[0]);
    const results = lookupResults(String(hostname), answer, options.family);
    const done = callback as Callback;
    if (results instanceof Error) process.nextTick(done, results);
    else if (options.all) process.nextTick(done, null, results);
    else process.nextTick(done, null, results[0]?.address, results[0]?.family);
    return {};
  };
  const lookupPromiseAsNode = dns.promises.lookup as DnsFunction;
  const lookupPromise = async (hostname: unknown, given?: unknown): Promise<unknown> => {
    const answer = typeof hostname === "string" ? router.lookup(hostname) : undefined;
    if (answer === undefined) return await lookupPromiseAsNode(hostname, given);
    const options = lookupOptions(given);
    const results = lookupResults(String(hostname), answer, options.family);
    if (results instanceof Error) throw results;
    return options.all ? results : results[0];
  };
  Object.defineProperty(lookup, promisify.custom, { value: lookupPromise });
  Object.assign(dns, { lookup });
  Object.assign(dns.promises, { lookup: lookupPromise });
}

interface LookupOptions {
  readonly all: boolean;
  /** 0: any. */
  readonly family: number;
}

function lookupOptions(given: unknown): LookupOptions {
  if (typeof given === "number") return { all: false, family: given };
  if (typeof given !== "object" || given === null) return { all: false, family: 0 };
  const family: unknown = Reflect.get(given, "family");
  return {
    all: Reflect.get(given, "all") === true,
    family: family === 6 || family === "IPv6" ? 6 : family === 4 || family === "IPv4" ? 4 : 0,
  };
}

function lookupResults(
  hostname: string,
  answer: Exclude<Answer, undefined>,
  family: number,
): readonly { readonly address: string; readonly family: number }[] | Error {
  const found =
    answer === "unknown" ? [] : answer.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
  const wanted = family === 0 ? found : found.filter((entry) => entry.family === family);
  return wanted.length === 0 ? nameNotFound(hostname) : wanted;
}

const RESOLVES = ["resolve", "resolve4", "resolve6"] as const;

function patchCallbackResolve(owner: object, router: Router): void {
  for (const name of RESOLVES) {
    const resolveAsNode = Reflect.get(owner, name) as DnsFunction;
    Object.assign(owner, {
      [name](this: unknown, hostname: unknown, ...rest: unknown[]): unknown {
        const answer = typeof hostname === "string" ? router.lookup(hostname) : undefined;
        const callback = rest.at(-1);
        if (answer === undefined || typeof callback !== "function")
          return Reflect.apply(resolveAsNode, this, [hostname, ...rest]);
        const results = resolveResults(name, String(hostname), answer, rest[0]);
        const done = callback as Callback;
        if (results instanceof Error) process.nextTick(done, results);
        else process.nextTick(done, null, results);
        return {};
      },
    });
  }
}

function patchPromiseResolve(owner: object, router: Router): void {
  for (const name of RESOLVES) {
    const resolveAsNode = Reflect.get(owner, name) as DnsFunction;
    Object.assign(owner, {
      async [name](this: unknown, hostname: unknown, ...rest: unknown[]): Promise<unknown> {
        const answer = typeof hostname === "string" ? router.lookup(hostname) : undefined;
        if (answer === undefined) return await Reflect.apply(resolveAsNode, this, [hostname, ...rest]);
        const results = resolveResults(name, String(hostname), answer, rest[0]);
        if (results instanceof Error) throw results;
        return results;
      },
    });
  }
}

/** Cluster DNS has A and AAAA records only; another type of a name that exists has no data. */
function resolveResults(
  name: (typeof RESOLVES)[number],
  hostname: string,
  answer: Exclude<Answer, undefined>,
  option: unknown,
): readonly unknown[] | Error {
  const type = name === "resolve4" ? "A" : name === "resolve6" ? "AAAA" : typeof option === "string" ? option : "A";
  const syscall = `query${type === "AAAA" ? "Aaaa" : type}`;
  if (answer === "unknown") return nameNotFound(hostname, syscall);
  const found = answer.filter((address) =>
    type === "AAAA" ? address.includes(":") : type === "A" && !address.includes(":"),
  );
  if (found.length === 0) {
    const message = `${syscall} ENODATA ${hostname}`;
    return Object.assign(new Error(message), { code: "ENODATA", errno: undefined, syscall, hostname });
  }
  const wantsTtl = typeof option === "object" && option !== null && Reflect.get(option, "ttl") === true;
  return wantsTtl ? found.map((address) => ({ address, ttl: 5 })) : found;
}
