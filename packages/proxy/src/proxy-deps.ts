/** What a proxy instance is given: its place in the network, its clock, its logs. Everything in here is the rim; the rest is told. */
import type { Clock, Logger } from "@argyle/core";
import type { Registry } from "@argyle/telemetry";
import type { TimerWheel } from "./io/timer-wheel.ts";
import type { Dialer } from "./upstream/dialer.ts";

export interface ProxyDeps {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  /** In [0, 1). */
  readonly random: () => number;
  readonly uuid: () => string;
  readonly log: Logger;
  readonly registry: Registry;
  readonly dialer: Dialer;
  readonly resolveName: (name: string) => Promise<readonly string[]>;
  /** Writes one access log line (with its line end) to a path; `/dev/stdout` is the proxy's own log. */
  readonly writeAccessLog: (path: string, line: string) => void;
  readonly node: NodeIdentity;
}

/** Who this proxy is, as in Envoy's bootstrap node. */
export interface NodeIdentity {
  readonly id: string;
  readonly cluster: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}
