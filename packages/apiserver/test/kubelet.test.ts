import assert from "node:assert/strict";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { connect } from "node:tls";
import type { TestScope } from "@argyle/testkit";
import { type Harness, makeDefaultAccount, startHarness } from "./harness.ts";

const PODS = "/api/v1/namespaces/default/pods";

/** A kubelet that tells what it was asked, and echoes what an upgraded stream sends. */
async function startKubelet(t: TestScope, h: Harness) {
  const { pki } = h.server;
  const asked: string[] = [];
  const kubelet = createServer(
    {
      cert: pki.kubelet.certPem,
      key: pki.kubelet.keyPem,
      ca: pki.caCertPem,
      requestCert: true,
      rejectUnauthorized: true,
    },
    (request, response) => {
      asked.push(`${request.method} ${request.url}`);
      if (request.url?.includes("waiting") === true) {
        response.statusCode = 400;
        response.end('container "c" in pod "waiting" is waiting to start: ContainerCreating');
        return;
      }
      response.setHeader("content-type", "text/plain");
      response.write("line 1\n");
      response.end("line 2\n");
    },
  );
  kubelet.on("upgrade", (request, socket) => {
    asked.push(`${request.method} ${request.url}`);
    if (request.url?.includes("refused") === true) {
      socket.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno");
      return;
    }
    const protocols = request.headers["x-stream-protocol-version"] ?? request.headers["sec-websocket-protocol"];
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${request.headers.upgrade}\r\n`);
    socket.write(`X-Offered: ${String(protocols)}\r\n\r\nhello`);
    socket.on("data", (bytes: Buffer) => socket.write(bytes));
    socket.on("end", () => socket.end());
    socket.on("error", () => socket.destroy());
  });
  await new Promise<void>((resolve) => kubelet.listen(0, "127.0.0.1", resolve));
  (t.after as (fn: () => Promise<void>) => void)(
    () =>
      new Promise((resolve) => {
        kubelet.close(() => resolve());
        kubelet.closeAllConnections();
      }),
  );
  const { port } = kubelet.address() as AddressInfo;
  await h.must(201, "POST", "/api/v1/nodes", {
    body: {
      metadata: { name: "n" },
      status: {
        addresses: [{ type: "InternalIP", address: "127.0.0.1" }],
        daemonEndpoints: { kubeletEndpoint: { Port: port } },
      },
    },
  });
  await makeDefaultAccount(h);
  for (const name of ["p", "waiting", "refused", "free"]) {
    await h.must(201, "POST", PODS, {
      body: { metadata: { name }, spec: { containers: [{ name: "c", image: "i" }] } },
    });
    if (name !== "free") await h.must(201, "POST", `${PODS}/${name}/binding`, { body: { target: { name: "n" } } });
  }
  return { asked };
}

/** Sends a raw request with the admin's certificate; resolves with everything received when `until` matches. */
function raw(h: Harness, head: string, body: string, until: RegExp): Promise<string> {
  const { pki, port } = h.server;
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: "127.0.0.1",
      port,
      ca: pki.caCertPem,
      cert: pki.admin.certPem,
      key: pki.admin.keyPem,
    });
    let text = "";
    socket.on("secureConnect", () => socket.write(head + body));
    socket.on("data", (bytes) => {
      text += bytes.toString("latin1");
      if (until.test(text)) {
        socket.destroy();
        resolve(text);
      }
    });
    socket.on("end", () => reject(new Error(`ended with ${text}`)));
    socket.on("error", reject);
  });
}

const upgrade = (path: string, protocol: string, more: string) =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n${more}Content-Length: 0\r\n\r\n`;

test("logs come from the kubelet; its refusal becomes a Status; an unscheduled pod has none", async (t) => {
  const h = await startHarness(t);
  const { asked } = await startKubelet(t, h);
  assert.equal((await h.must(200, "GET", `${PODS}/p/log?tailLines=2&container=c`)).text, "line 1\nline 2\n");
  assert.deepEqual(asked, ["GET /containerLogs/default/p/c?tailLines=2"]);
  const waiting = await h.must(400, "GET", `${PODS}/waiting/log`);
  assert.equal(waiting.body.message, 'container "c" in pod "waiting" is waiting to start: ContainerCreating');
  assert.equal((await h.must(200, "GET", `${PODS}/free/log`)).text, "");
  const wrong = await h.must(400, "GET", `${PODS}/p/log?container=x`);
  assert.equal(wrong.body.message, "container x is not valid for pod p");
});

test("exec is passed on byte by byte, with the kubelet's names for the streams", async (t) => {
  const h = await startHarness(t);
  const { asked } = await startKubelet(t, h);
  const path = `${PODS}/p/exec?command=sh&command=-c&stdin=true&stdout=true&container=c`;
  const versions = "X-Stream-Protocol-Version: v4.channel.k8s.io\r\nX-Stream-Protocol-Version: channel.k8s.io\r\n";
  const text = await raw(h, upgrade(path, "SPDY/3.1", versions), "\u0080\u0003early", /early$/);
  assert.match(text, /^HTTP\/1.1 101 Switching Protocols\r\n/);
  assert.match(text, /X-Offered: v4.channel.k8s.io, channel.k8s.io\r\n/);
  assert.match(text, /\r\n\r\nhello/);
  assert.deepEqual(asked, ["POST /exec/default/p/c?command=sh&command=-c&input=1&output=1"]);
});

test("a kubelet that refuses ends the connection, so that nothing else is sent down it", async (t) => {
  const h = await startHarness(t);
  await startKubelet(t, h);
  const text = await raw(h, upgrade(`${PODS}/refused/attach`, "SPDY/3.1", ""), "", /\r\n\r\nno$/);
  assert.match(text, /^HTTP\/1.1 403 Forbidden\r\n/);
  assert.match(text, /Connection: close/);
});

test("an upgrade that cannot be served is answered with a Status", async (t) => {
  const h = await startHarness(t);
  await startKubelet(t, h);
  const missing = await raw(h, upgrade(`${PODS}/none/exec`, "SPDY/3.1", ""), "", /\}$/);
  assert.match(missing, /^HTTP\/1.1 404 /);
  assert.match(missing, /pods \\"none\\" not found/);
  const unbound = await raw(h, upgrade(`${PODS}/free/portforward`, "SPDY/3.1", ""), "", /\}$/);
  assert.match(unbound, /does not have a host assigned/);
});

test("the node's proxy subresource reaches the kubelet", async (t) => {
  const h = await startHarness(t);
  const { asked } = await startKubelet(t, h);
  await h.must(200, "GET", "/api/v1/nodes/n/proxy/stats/summary?x=1");
  assert.deepEqual(asked, ["GET /stats/summary?x=1"]);
});

test("a kubelet that is gone is said so", async (t) => {
  const h = await startHarness(t, { dialService: () => Promise.reject(new Error("refused")) });
  await h.must(201, "POST", "/api/v1/nodes", {
    body: {
      metadata: { name: "n" },
      status: {
        addresses: [{ type: "InternalIP", address: "127.0.0.1" }],
        daemonEndpoints: { kubeletEndpoint: { Port: 1 } },
      },
    },
  });
  const { body } = await h.must(502, "GET", "/api/v1/nodes/n/proxy/healthz");
  assert.match(body.message, /error dialing backend: dial tcp 127.0.0.1:1: refused/);
});
