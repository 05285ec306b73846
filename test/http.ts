/** HTTP for tests: every request on its own connection or on a given agent, the whole answer as a value. */
import { type Agent, type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from "node:http";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export function get(
  url: string,
  options: { readonly headers?: OutgoingHttpHeaders; readonly agent?: Agent; readonly method?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      {
        agent: options.agent ?? false,
        headers: { ...options.headers },
        method: options.method ?? "GET",
        timeout: 10_000,
      },
      (incoming) => {
        incoming.setEncoding("utf8");
        let body = "";
        incoming.on("data", (chunk: string) => {
          body += chunk;
        });
        incoming.on("end", () => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body }));
        incoming.on("error", reject);
      },
    );
    outgoing.on("timeout", () => outgoing.destroy(new Error(`no answer from ${url} within 10 s`)));
    outgoing.on("error", reject);
    outgoing.end();
  });
}

/** Requests one after the other until told to stop; the answers that were not 200 are the result. */
export function keepRequesting(
  url: string,
  headers: OutgoingHttpHeaders = {},
): { stop(): Promise<{ readonly sent: number; readonly failures: readonly string[] }> } {
  let isStopped = false;
  let sent = 0;
  const failures: string[] = [];
  const loop = (async () => {
    while (!isStopped) {
      sent += 1;
      try {
        const answer = await get(url, { headers });
        if (answer.status !== 200) failures.push(`${answer.status} ${answer.body.slice(0, 100)}`);
      } catch (error) {
        failures.push(error instanceof Error ? error.message : String(error));
      }
    }
  })();
  return {
    async stop() {
      isStopped = true;
      await loop;
      return { sent, failures };
    },
  };
}
