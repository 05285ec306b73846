import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { switchDirectStreams } from "./direct-stream.ts";
import { Transport, type TransportHandler } from "./transport.ts";

interface Ends {
  readonly transport: Transport;
  readonly peer: Socket;
  readonly seen: { text: string; readonly events: string[] };
}

/** A transport on the accepted end of a connection, and the plain socket at the other. */
async function connectEnds(t: TestContext, early = ""): Promise<Ends> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const peer = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
  const [accepted] = (await once(server, "connection")) as [Socket];
  t.after(() => {
    peer.destroy();
    accepted.destroy();
    server.close();
  });
  if (early !== "") {
    // Read by the socket before the transport has it, as the bytes behind a PROXY header are.
    peer.write(early);
    accepted.read(0);
    await once(accepted, "readable");
    accepted.removeAllListeners("readable");
  }
  const transport = new Transport(accepted);
  const seen = { text: "", events: [] as string[] };
  const handler: TransportHandler = {
    onBytes: (buffer, start, end) => {
      seen.text += buffer.toString("latin1", start, end);
      peer.emit("seen");
    },
    onReadEnd: () => {
      seen.events.push("end");
      peer.emit("seen");
    },
    onDrain: () => {
      seen.events.push("drain");
      peer.emit("seen");
    },
    onClosed: (error) => {
      seen.events.push(`closed ${(error as NodeJS.ErrnoException | undefined)?.code ?? "clean"}`);
      peer.emit("seen");
    },
  };
  transport.start(handler);
  return { transport, peer, seen };
}

async function until({ peer }: Ends, isSo: () => boolean): Promise<void> {
  while (!isSo()) await once(peer, "seen");
}

/** Writes until the kernel takes no more; what was written. */
function fill(transport: Transport): string {
  let text = "";
  for (let i = 0; ; i++) {
    const piece = `${i}:`.padEnd(10_000, "x");
    text += piece;
    if (!transport.write(i % 2 === 0 ? piece : Buffer.from(piece))) return text;
  }
}

async function readAll(peer: Socket): Promise<string> {
  let text = "";
  for await (const chunk of peer) text += String(chunk);
  return text;
}

for (const isDirect of [true, false]) {
  const name = (what: string) => `transport, ${isDirect ? "direct" : "by stream"}: ${what}`;
  const options = { timeout: 10_000 };

  const transportTest = (what: string, run: (t: TestContext) => Promise<void>) =>
    test(name(what), options, async (t) => {
      switchDirectStreams(isDirect);
      t.after(() => switchDirectStreams(true));
      await run(t);
    });

  transportTest("what was read before comes first", async (t) => {
    const ends = await connectEnds(t, "early ");
    ends.peer.end("late");
    await until(ends, () => ends.seen.events.includes("end"));
    assert.equal(ends.seen.text, "early late");
  });

  transportTest("a slow reader makes the writer wait; everything arrives in order, and the end after it", async (t) => {
    const ends = await connectEnds(t);
    let text = fill(ends.transport);
    for (const piece of ["behind ", "the ", "queue"]) {
      assert.equal(ends.transport.write(piece), false);
      text += piece;
    }
    assert.equal(ends.transport.hasUnsentBytes, true);
    let read = "";
    ends.peer.on("data", (chunk) => {
      read += chunk;
    });
    await until(ends, () => ends.seen.events.includes("drain"));
    assert.equal(ends.transport.hasUnsentBytes, false);
    assert.equal(ends.transport.write("more"), true);
    ends.transport.end();
    await once(ends.peer, "end");
    assert.equal(read, `${text}more`);
  });

  transportTest("end writes everything first", async (t) => {
    const ends = await connectEnds(t);
    const text = fill(ends.transport);
    ends.transport.end();
    assert.equal(await readAll(ends.peer), text);
  });

  transportTest("endAndClose writes everything first", async (t) => {
    const ends = await connectEnds(t);
    const text = fill(ends.transport);
    ends.transport.endAndClose();
    assert.equal(await readAll(ends.peer), text);
    await until(ends, () => ends.seen.events.includes("closed clean"));
  });

  transportTest("paused: neither bytes nor the end come, until it goes on", async (t) => {
    const ends = await connectEnds(t);
    ends.transport.pause();
    ends.peer.end("waits");
    // The peer sees its own end acknowledged by what we send: by then the bytes have been here for long.
    ends.transport.write("ping");
    await once(ends.peer, "data");
    assert.deepEqual(ends.seen, { text: "", events: [] });
    ends.transport.resume();
    await until(ends, () => ends.seen.events.includes("end"));
    assert.equal(ends.seen.text, "waits");
  });

  transportTest("a connection that breaks says why, once, with bytes unsent", async (t) => {
    const ends = await connectEnds(t);
    fill(ends.transport);
    ends.peer.resetAndDestroy();
    await until(ends, () => ends.seen.events.length > 0);
    assert.match(ends.seen.events.join(), /^closed (ECONNRESET|EPIPE)$/);
    assert.equal(ends.transport.write("late"), true);
  });

  transportTest("destroy tells the handler nothing, and drops what is unsent", async (t) => {
    const ends = await connectEnds(t);
    fill(ends.transport);
    ends.transport.destroy();
    await Promise.race([once(ends.peer.resume(), "end"), once(ends.peer, "error")]);
    assert.deepEqual(ends.seen.events, []);
  });
}
