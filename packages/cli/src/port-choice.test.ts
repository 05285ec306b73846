import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { findAnyPort, HOST } from "@argyle/cluster";
import { MeshError } from "@argyle/core";
import { checkPorts, choosePort } from "./port-choice.ts";

const wrong = [
  { ports: { "api-port": 6443, "gateway-port": undefined }, problems: [] },
  { ports: { "api-port": 0, "gateway-port": 0 }, problems: [] },
  { ports: { "api-port": 70_000, "gateway-port": 1.5 }, problems: ["--api-port", "--gateway-port"] },
  { ports: { "api-port": -1 }, problems: ["--api-port"] },
  { ports: { "api-port": 8080, "gateway-port": 8080 }, problems: ["--gateway-port"] },
];
for (const { ports, problems } of wrong) {
  test(`${JSON.stringify(ports)} has ${problems.length} problems`, () =>
    assert.deepEqual(
      checkPorts(ports).map(({ path }) => path),
      problems,
    ));
}

/** A port that is held for the time of the test. */
async function busyPort(scope: { after(fn: () => void): void }): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  scope.after(() => void server.close());
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

test("a busy default is replaced by another, aloud", async (t) => {
  const port = await busyPort(t);
  const notes: string[] = [];
  const wish = { flag: "api-port", given: undefined, previous: undefined, fallback: port };
  const chosen = await choosePort(wish, new Set([port + 1]), (text) => void notes.push(text));
  assert.ok(chosen > port + 1);
  assert.match(notes.join(""), new RegExp(`127.0.0.1:${port} is in use, taking ${chosen} instead`));
});

test("a busy port that was asked for is refused, with one that is free", async (t) => {
  const port = await busyPort(t);
  const wish = { flag: "gateway-port", given: port, previous: undefined, fallback: 1 };
  await assert.rejects(
    choosePort(wish, new Set(), () => assert.fail("no note")),
    (error) =>
      error instanceof MeshError &&
      error.code === "ports.in-use" &&
      /--gateway-port \d+ is free/.test(error.advice ?? ""),
  );
});

test("the port of the earlier run comes before the default", async (t) => {
  const port = await busyPort(t);
  const wish = { flag: "api-port", given: undefined, previous: port, fallback: 1 };
  assert.notEqual(await choosePort(wish, new Set(), () => undefined), 1);
});

test("0 is any free port, also where a row of them is busy", async () => {
  const taken = new Set(Array.from({ length: 11_900 }, (_, i) => 20_000 + i));
  const chosen = await choosePort({ flag: "api-port", given: 0, previous: undefined, fallback: 6443 }, new Set(), () =>
    assert.fail("nothing to tell"),
  );
  assert.ok(chosen >= 20_000 && chosen < 32_000);
  const other = await findAnyPort(taken, () => 0.999);
  assert.ok(other >= 31_900, `${other}`);
});
