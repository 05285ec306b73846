/** gRPC of a client and a server that we did not write (@grpc/grpc-js), through two sidecars with mTLS on a port whose protocol is sniffed. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { createPodNetwork } from "@argyle/pod-network";
import { eventually, tempDir } from "@argyle/testkit";
import {
  Client,
  credentials,
  Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceError,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";
import { createAuthority } from "./authority.ts";
import { sniffedClient, sniffedServer } from "./mesh-resources.ts";
import { fromProgram, startPod } from "./pods.ts";

const CLIENT = "10.244.0.4";
const SERVER = "10.244.0.5";
const VIP = "10.96.0.9";
const PORT = 9000;
const SERVICE = "quotes.sock-shop.svc.cluster.local";
const MAX_MESSAGE = 16 * 1024 * 1024;

const same = (bytes: Buffer) => bytes;
const method = (name: string, requestStream: boolean, responseStream: boolean): MethodDefinition<Buffer, Buffer> => ({
  path: `/shop.Quotes/${name}`,
  requestStream,
  responseStream,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
});
const METHODS = {
  Unary: method("Unary", false, false),
  Count: method("Count", false, true),
  Sum: method("Sum", true, false),
  Chat: method("Chat", true, true),
  Never: method("Never", false, false),
};

interface Seen {
  cancelled: number;
}

function startApp(path: string, seen: Seen): Promise<Server> {
  const server = new Server({ "grpc.max_receive_message_length": MAX_MESSAGE });
  server.addService(METHODS, {
    Unary(call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) {
      if (call.request.toString() === "fail") {
        callback({ code: status.NOT_FOUND, details: "pas trouvé: 100 %", metadata: new Metadata() });
        return;
      }
      const trailers = new Metadata();
      trailers.set("x-trailer", String(call.metadata.get("x-asked")[0] ?? ""));
      callback(null, call.request, trailers);
    },
    Count(call: ServerWritableStream<Buffer, Buffer>) {
      const count = Number(call.request.toString());
      for (let i = 0; i < count; i++) call.write(Buffer.alloc(10_000, i & 0xff));
      call.end();
    },
    Sum(call: ServerReadableStream<Buffer, Buffer>, callback: sendUnaryData<Buffer>) {
      let sum = 0;
      call.on("data", (message: Buffer) => {
        sum += message.length;
      });
      call.on("end", () => callback(null, Buffer.from(String(sum))));
    },
    Chat(call: ServerDuplexStream<Buffer, Buffer>) {
      call.on("data", (message: Buffer) => call.write(Buffer.from(`re: ${message.toString()}`)));
      call.on("end", () => call.end());
    },
    Never(call: ServerUnaryCall<Buffer, Buffer>) {
      call.on("cancelled", () => {
        seen.cancelled += 1;
      });
    },
  });
  return new Promise((resolve, reject) => {
    server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve(server) : reject(error),
    );
  });
}

async function startPair(t: TestContext) {
  const runDir = tempDir(t);
  const network = createPodNetwork({ runDir });
  const authority = await createAuthority();
  const from = await startPod(t, network, runDir, CLIENT, "shop", authority, sniffedClient(SERVICE, VIP, SERVER, PORT));
  const to = await startPod(t, network, runDir, SERVER, "quotes", authority, sniffedServer(SERVICE, PORT));
  const seen: Seen = { cancelled: 0 };
  const app = await startApp(network.socketPath(SERVER, PORT), seen);
  t.after(() => app.forceShutdown());
  // What the preload does to the program's connection.
  const relay = createServer((socket) => {
    socket.on("error", () => undefined);
    void fromProgram(network, CLIENT, { ip: VIP, port: PORT }).then((out) => {
      out.on("error", () => undefined);
      socket.pipe(out).pipe(socket);
      socket.on("close", () => out.destroy());
      out.on("close", () => socket.destroy());
    });
  });
  await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));
  const address = relay.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    "grpc.max_receive_message_length": MAX_MESSAGE,
    "grpc.default_authority": "quotes:9000",
  });
  t.after(() => {
    client.close();
    relay.close();
  });
  const metric = (pod: typeof from, name: string) => pod.proxy.deps.registry.expose((n) => n === name);
  return { client, app, seen, from, to, metric };
}

type Failure = Pick<ServiceError, "code" | "details">;

function unary(client: Client, path: string, message: Buffer, deadlineMs?: number) {
  return new Promise<{ answer?: Buffer; error?: Failure; trailer?: string }>((resolve) => {
    const metadata = new Metadata();
    metadata.set("x-asked", "yes");
    let trailer = "";
    const options = deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs };
    let result: { answer?: Buffer; error?: Failure } = {};
    const call = client.makeUnaryRequest(path, same, same, message, metadata, options, (error, answer) => {
      if (error !== null) result = { error: { code: error.code, details: error.details } };
      else if (answer !== undefined) result = { answer };
    });
    call.on("status", (end) => {
      trailer = String(end.metadata.get("x-trailer")[0] ?? "");
      setImmediate(() => resolve({ ...result, trailer }));
    });
  });
}

test("unary calls: message, metadata and trailers of both sides", async (t) => {
  const { client } = await startPair(t);
  const small = await unary(client, METHODS.Unary.path, Buffer.from("hello"));
  assert.equal(small.answer?.toString(), "hello");
  assert.equal(small.trailer, "yes");
  const large = Buffer.alloc(5_000_000, "x");
  const back = await unary(client, METHODS.Unary.path, large);
  assert.ok(back.answer?.equals(large), "5 MB did not come back");
});

test("server streaming, client streaming and both at once", async (t) => {
  const { client } = await startPair(t);
  const counted = await new Promise<number>((resolve, reject) => {
    let bytes = 0;
    const call = client.makeServerStreamRequest(METHODS.Count.path, same, same, Buffer.from("200"));
    call.on("data", (message: Buffer) => {
      bytes += message.length;
    });
    call.on("error", reject);
    call.on("end", () => resolve(bytes));
  });
  assert.equal(counted, 2_000_000);
  const sum = await new Promise<string>((resolve, reject) => {
    const call = client.makeClientStreamRequest(METHODS.Sum.path, same, same, (error, answer) =>
      error === null ? resolve(String(answer)) : reject(error),
    );
    for (let i = 0; i < 300; i++) call.write(Buffer.alloc(10_000));
    call.end();
  });
  assert.equal(sum, "3000000");
  const heard: string[] = [];
  await new Promise<void>((resolve, reject) => {
    const call = client.makeBidiStreamRequest(METHODS.Chat.path, same, same);
    call.on("data", (message: Buffer) => {
      heard.push(message.toString());
      if (heard.length < 3) call.write(Buffer.from(String(heard.length)));
      else call.end();
    });
    call.on("error", reject);
    call.on("end", resolve);
    call.write(Buffer.from("0"));
  });
  assert.deepEqual(heard, ["re: 0", "re: 1", "re: 2"]);
});

test("an error is a Trailers-Only response, its message in UTF-8; both sidecars count it", async (t) => {
  const { client, from, to, metric } = await startPair(t);
  const { error } = await unary(client, METHODS.Unary.path, Buffer.from("fail"));
  assert.deepEqual(error, { code: status.NOT_FOUND, details: "pas trouvé: 100 %" });
  await unary(client, METHODS.Unary.path, Buffer.from("hello"));
  for (const [pod, reporter] of [
    [from, "source"],
    [to, "destination"],
  ] as const) {
    await eventually(reporter, () => {
      const requests = metric(pod, "istio_requests_total");
      for (const code of ["5", "0"])
        assert.match(
          requests,
          new RegExp(
            `reporter="${reporter}".*destination_service="${SERVICE}".*request_protocol="grpc",response_code="200",grpc_response_status="${code}",response_flags="-".* 1\\n`,
          ),
        );
      assert.match(metric(pod, "istio_request_messages_total"), new RegExp(`reporter="${reporter}".* 2\\n`));
      assert.match(metric(pod, "istio_response_messages_total"), new RegExp(`reporter="${reporter}".* 1\\n`));
    });
  }
});

test("a client's deadline cancels the call at the server", async (t) => {
  const { client, seen } = await startPair(t);
  const { error } = await unary(client, METHODS.Never.path, Buffer.from("x"), 300);
  assert.equal(error?.code, status.DEADLINE_EXCEEDED);
  await eventually("cancelled at the server", () => assert.equal(seen.cancelled, 1));
});

test("a server that is gone is UNAVAILABLE, in Envoy's words", async (t) => {
  const { client, app } = await startPair(t);
  await unary(client, METHODS.Unary.path, Buffer.from("hello"));
  app.forceShutdown();
  await eventually("unavailable", async () => {
    const { error } = await unary(client, METHODS.Unary.path, Buffer.from("hello"));
    assert.equal(error?.code, status.UNAVAILABLE);
    assert.match(error?.details ?? "", /^upstream connect error or disconnect\/reset before headers\./);
  });
});
