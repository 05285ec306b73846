/**
 * exec into a hosted istio-proxy, which has no process of its own: `pilot-agent request GET stats` and `curl localhost:15000/…` are answered by the
 * proxy's admin page on the pod's 15000.sock. Undefined for any other command.
 */
import { request as httpRequest } from "node:http";
import { describeError } from "@argyle/core";
import type { RemoteSession } from "./remote-session.ts";
import { statusFor } from "./remote-session.ts";

export interface AdminRequest {
  readonly method: string;
  readonly path: string;
}

export function parseAdminRequest(argv: readonly string[]): AdminRequest | undefined {
  const [file = "", ...args] = argv;
  const program = file.slice(file.lastIndexOf("/") + 1);
  if (program === "pilot-agent" && args[0] === "request") {
    const [method = "GET", path = "help"] = args.slice(1).filter((arg) => !arg.startsWith("-"));
    return { method: method.toUpperCase(), path: path.startsWith("/") ? path : `/${path}` };
  }
  const url = args.find((arg) => /^(?:http:\/\/)?(?:localhost|127\.0\.0\.1):15000(?:\/|$)/.test(arg));
  if (program !== "curl" || url === undefined) return undefined;
  const at = args.findIndex((arg) => arg === "-X" || arg === "--request");
  const method = at === -1 ? (args.includes("-XPOST") ? "POST" : "GET") : (args[at + 1] ?? "GET");
  return { method, path: url.replace(/^(?:http:\/\/)?[^/]+/, "") || "/" };
}

export function runAdminRequest(session: RemoteSession, podDir: string, { method, path }: AdminRequest): void {
  const request = httpRequest(
    { socketPath: `${podDir}/15000.sock`, method, path, headers: { host: "localhost:15000" } },
    (response) => {
      response.on("data", (chunk: Buffer) => session.stdout?.write(chunk));
      response.on("error", (error) => fail(error));
      response.on("end", () => {
        const isGood = (response.statusCode ?? 500) < 400;
        const finish = () => session.finish(statusFor({ kind: "exited", code: isGood ? 0 : 1 }));
        if (session.stdout === undefined) finish();
        else session.stdout.write(Buffer.alloc(0), finish);
      });
    },
  );
  const fail = (error: unknown) => {
    session.stderr?.write(`cannot reach the proxy's admin page: ${describeError(error)}\n`);
    session.finish(statusFor({ kind: "exited", code: 1 }));
  };
  request.on("error", fail);
  session.onClose(() => request.destroy());
  request.end();
}
