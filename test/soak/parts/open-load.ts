/** Requests at a fixed rate whatever the answers take (open loop), over kept connections. Failures are told with their times. */
import { Agent, get } from "node:http";

export interface Failure {
  readonly what: string;
  readonly startedAt: number;
  readonly endedAt: number;
}

export interface LoadResult {
  readonly sent: number;
  readonly failures: readonly Failure[];
  readonly slowestMs: number;
}

export interface OpenLoad {
  stop(): Promise<LoadResult>;
}

const TICK_MS = 20;
const TIMEOUT_MS = 15_000;

export function startOpenLoad(url: string, perSecond: number): OpenLoad {
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  const failures: Failure[] = [];
  const open = new Set<Promise<void>>();
  let sent = 0;
  let slowestMs = 0;
  const started = performance.now();
  const one = (): Promise<void> => {
    const startedAt = performance.now();
    return new Promise((resolve) => {
      const finish = (what: string | undefined) => {
        const endedAt = performance.now();
        slowestMs = Math.max(slowestMs, endedAt - startedAt);
        if (what !== undefined) failures.push({ what, startedAt, endedAt });
        resolve();
      };
      const request = get(url, { agent, timeout: TIMEOUT_MS }, (answer) => {
        let body = "";
        answer.on("data", (chunk) => {
          body += chunk;
        });
        answer.on("end", () =>
          finish(answer.statusCode === 200 ? undefined : `${answer.statusCode} ${body.slice(0, 200)}`),
        );
        answer.on("error", (error) => finish(error.message));
      });
      request.on("timeout", () => request.destroy(new Error("no answer within 15 s")));
      request.on("error", (error) => finish(error.message));
    });
  };
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - started) / 1000) * perSecond);
    for (; sent < due; sent++) {
      const running = one().finally(() => open.delete(running));
      open.add(running);
    }
  }, TICK_MS);
  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(open);
      agent.destroy();
      return { sent, failures, slowestMs };
    },
  };
}
