/**
 * The load balancing policy of a cluster, from lb_policy with its *_lb_config or from load_balancing_policy.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/api-v3/config/cluster/v3/cluster.proto#enum-config-cluster-v3-cluster-lbpolicy
 */
import type { RingHashConfig } from "../upstream/balancer/ring-hash.ts";
import type { Fields } from "./fields.ts";

export type LbPolicy = "ROUND_ROBIN" | "LEAST_REQUEST" | "RANDOM" | "RING_HASH" | "MAGLEV" | "CLUSTER_PROVIDED";

export interface LbConfig {
  readonly policy: LbPolicy;
  readonly choiceCount: number;
  readonly ringHash: RingHashConfig;
  readonly maglevTableSize: number;
}

const POLICIES = [
  "ROUND_ROBIN",
  "LEAST_REQUEST",
  "RING_HASH",
  "RANDOM",
  "UNUSED",
  "MAGLEV",
  "CLUSTER_PROVIDED",
  "LOAD_BALANCING_POLICY_CONFIG",
] as const;
const EXTENSIONS = ["ROUND_ROBIN", "LEAST_REQUEST", "RANDOM", "RING_HASH", "MAGLEV"] as const;
const MAX_RING_SIZE = 8_388_608;
const MAX_TABLE_SIZE = 5_000_011;
const DEFAULT_TABLE_SIZE = 65_537;

export function compileLb(fields: Fields): LbConfig {
  const extension = fields
    .object("load_balancing_policy")
    ?.list("policies")[0]
    ?.object("typed_extension_config")
    ?.object("typed_config");
  const { policy, own } = extension === undefined ? byEnum(fields) : byExtension(fields, extension);
  return {
    policy,
    choiceCount: policy === "LEAST_REQUEST" ? (own?.number("choice_count", 2) ?? 2) : 2,
    ringHash: compileRing(policy === "RING_HASH" ? own : undefined),
    maglevTableSize: policy === "MAGLEV" ? compileTableSize(own) : DEFAULT_TABLE_SIZE,
  };
}

interface Chosen {
  readonly policy: LbPolicy;
  /** Where the policy's own settings are. */
  readonly own: Fields | undefined;
}

function byExtension(fields: Fields, extension: Fields): Chosen {
  const type = extension.typeName();
  const policy = EXTENSIONS.find((name) => type.includes(`.${name.toLowerCase()}.`));
  if (policy === undefined) fields.problem("load_balancing_policy", `unsupported load balancing policy ${type}`);
  return { policy: policy ?? "ROUND_ROBIN", own: extension };
}

function byEnum(fields: Fields): Chosen {
  const named = fields.enumeration("lb_policy", POLICIES, "ROUND_ROBIN");
  const policy = named === "UNUSED" || named === "LOAD_BALANCING_POLICY_CONFIG" ? "ROUND_ROBIN" : named;
  return { policy, own: fields.object(`${policy.toLowerCase()}_lb_config`) };
}

function compileRing(own: Fields | undefined): RingHashConfig {
  const minimumRingSize = own?.number("minimum_ring_size", 1024) ?? 1024;
  const maximumRingSize = own?.number("maximum_ring_size", MAX_RING_SIZE) ?? MAX_RING_SIZE;
  if (own !== undefined && minimumRingSize > maximumRingSize)
    own.problem(
      "minimum_ring_size",
      `ring hash: minimum_ring_size (${minimumRingSize}) > maximum_ring_size (${maximumRingSize})`,
    );
  const hashes = ["DEFAULT_HASH", "XX_HASH", "MURMUR_HASH_2"] as const;
  // The cluster's own field counts from XX_HASH, the extension's from DEFAULT_HASH; as names both read the same.
  const hashFunction =
    own?.enumeration("hash_function", hashes, "XX_HASH") === "MURMUR_HASH_2" ? "MURMUR_HASH_2" : "XX_HASH";
  return { minimumRingSize, maximumRingSize, hashFunction };
}

function compileTableSize(own: Fields | undefined): number {
  const size = own?.number("table_size", DEFAULT_TABLE_SIZE) ?? DEFAULT_TABLE_SIZE;
  if (size > MAX_TABLE_SIZE || !isPrime(size)) {
    own?.problem("table_size", "The table size of maglev must be prime number");
    return DEFAULT_TABLE_SIZE;
  }
  return size;
}

function isPrime(value: number): boolean {
  if (value < 2 || !Number.isInteger(value)) return false;
  for (let divisor = 2; divisor * divisor <= value; divisor++) if (value % divisor === 0) return false;
  return true;
}
