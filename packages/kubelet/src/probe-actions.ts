/**
 * One probe or lifecycle handler, carried out: HTTP, TCP and gRPC through the pod network to the program's own socket, exec in the container.
 * Source: Kubernetes, "Configure Liveness, Readiness and Startup Probes"; gRPC health checking protocol.
 */
import { request as httpRequest } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { type Clock, describeError, KUBERNETES_VERSION, sleep } from "@argyle/core";
import type { Container, HttpGetAction, LifecycleHandler, Probe } from "@argyle/kube-types";
import type { PodNetwork } from "@argyle/pod-network";
import type { ProbeOutcome } from "./prober.ts";

export interface ProbeContext {
  readonly container: Container;
  readonly podIP: string;
  readonly podNetwork: PodNetwork;
  readonly clock: Clock;
  /** Runs a command in the container; resolves with its exit code and what it printed. */
  readonly exec: (
    command: readonly string[],
    timeoutMs: number,
  ) => Promise<{ readonly code: number; readonly output: string }>;
}

export async function runProbe(
  probe: Probe | LifecycleHandler,
  context: ProbeContext,
  timeoutMs: number,
): Promise<ProbeOutcome> {
  const port = probe.httpGet?.port ?? probe.tcpSocket?.port ?? ("grpc" in probe ? probe.grpc?.port : undefined);
  const host = probe.httpGet?.host ?? probe.tcpSocket?.host;
  if (port !== undefined && isPodItself(host, context)) {
    const number = resolvePort(port, context.container);
    // A program that is starting is asked twenty times a second: that it does not listen yet is found out without a connection.
    if (number !== undefined && !context.podNetwork.isBound(context.podIP, number))
      return { ok: false, message: `dial tcp ${context.podIP}:${number}: connect: connection refused` };
  }
  try {
    if (probe.httpGet !== undefined) return await probeHttp(probe.httpGet, context, timeoutMs);
    if (probe.tcpSocket !== undefined) {
      (await dial(context, probe.tcpSocket.port, probe.tcpSocket.host, timeoutMs)).destroy();
      return { ok: true };
    }
    if (probe.exec !== undefined) {
      const { code, output } = await context.exec(probe.exec.command ?? [], timeoutMs);
      return code === 0 ? { ok: true } : { ok: false, message: output.trim() || `exit code ${code}` };
    }
    if ("grpc" in probe && probe.grpc !== undefined) {
      return await probeGrpc(probe.grpc.port, probe.grpc.service ?? "", context, timeoutMs);
    }
    if ("sleep" in probe && probe.sleep !== undefined) await sleep(context.clock, probe.sleep.seconds * 1000);
    return { ok: true };
  } catch (error) {
    return { ok: false, message: describeError(error) };
  }
}

/** A port by number or by the name that the container gives it. */
export function resolvePort(port: number | string, container: Container): number | undefined {
  if (typeof port === "number") return port;
  return (
    container.ports?.find((p) => p.name === port)?.containerPort ?? (/^\d+$/.test(port) ? Number(port) : undefined)
  );
}

async function dial(
  context: ProbeContext,
  port: number | string,
  host: string | undefined,
  timeoutMs: number,
): Promise<Socket> {
  const number = resolvePort(port, context.container);
  if (number === undefined) throw new Error(`the container has no port called ${port}`);
  const address = host === undefined || isPodItself(host, context) ? context.podIP : host;
  return context.podNetwork.dial({ host: address, port: number, via: "app", timeoutMs });
}

function isPodItself(host: string | undefined, { podIP }: ProbeContext): boolean {
  return host === undefined || host === "" || host === podIP || host === "localhost" || host === "127.0.0.1";
}

async function probeHttp(action: HttpGetAction, context: ProbeContext, timeoutMs: number): Promise<ProbeOutcome> {
  const raw = await dial(context, action.port, action.host, timeoutMs);
  const socket = action.scheme === "HTTPS" ? connectTls({ socket: raw, rejectUnauthorized: false }) : raw;
  const headers: Record<string, string> = {
    host: `${action.host ?? context.podIP}:${resolvePort(action.port, context.container)}`,
    "user-agent": `kube-probe/${KUBERNETES_VERSION.major}.${KUBERNETES_VERSION.minor}`,
    accept: "*/*",
    connection: "close",
  };
  for (const { name, value } of action.httpHeaders ?? []) headers[name.toLowerCase()] = value;
  return new Promise((resolve) => {
    const finish = (outcome: ProbeOutcome) => {
      timer.cancel();
      socket.destroy();
      resolve(outcome);
    };
    const timer = context.clock.after(timeoutMs, () => finish({ ok: false, message: "context deadline exceeded" }));
    const path = action.path ?? "/";
    const request = httpRequest(
      { createConnection: () => socket, path: path.startsWith("/") ? path : `/${path}`, headers },
      (response) => {
        response.resume();
        const status = response.statusCode ?? 0;
        if (status >= 200 && status < 400) finish({ ok: true });
        else finish({ ok: false, message: `HTTP probe failed with statuscode: ${status}` });
      },
    );
    request.on("error", (error) => finish({ ok: false, message: describeError(error) }));
    request.end();
  });
}

const SERVING = 1;

async function probeGrpc(
  port: number,
  service: string,
  context: ProbeContext,
  timeoutMs: number,
): Promise<ProbeOutcome> {
  const socket = await dial(context, port, undefined, timeoutMs);
  return new Promise((resolve) => {
    const session = connectHttp2(`http://${context.podIP}:${port}`, { createConnection: () => socket });
    const finish = (outcome: ProbeOutcome) => {
      timer.cancel();
      session.destroy();
      socket.destroy();
      resolve(outcome);
    };
    const timer = context.clock.after(timeoutMs, () =>
      finish({ ok: false, message: "timeout: health rpc did not complete" }),
    );
    const fail = (error: unknown) => finish({ ok: false, message: describeError(error) });
    session.on("error", fail);
    const stream = session.request({
      ":method": "POST",
      ":path": "/grpc.health.v1.Health/Check",
      "content-type": "application/grpc",
      te: "trailers",
    });
    const chunks: Buffer[] = [];
    stream.on("error", fail);
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      const status = Buffer.concat(chunks).subarray(5);
      // HealthCheckResponse { status = 1 } is one varint field: tag 0x08, value.
      if (status[0] === 8 && status[1] === SERVING) finish({ ok: true });
      else finish({ ok: false, message: `service unhealthy (responded with ${status[1] ?? "nothing"})` });
    });
    const name = Buffer.from(service);
    const message = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, name.length]), name]);
    stream.end(Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]));
  });
}
