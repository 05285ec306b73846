import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "@argyle/testkit";
import { startHarness, type WatchLine } from "./harness.ts";

const CMS = "/api/v1/namespaces/default/configmaps";
const TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

const brief = (events: readonly WatchLine[]) => events.map((e) => `${e.type} ${e.object.metadata.name ?? ""}`.trim());

test("WatchList streams what is there and closes it with the bookmark", async (t) => {
  const h = await startHarness(t);
  await h.must(201, "POST", CMS, { body: { metadata: { name: "a" } } });
  const query = "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
  const events = await h.watch(`${CMS}?${query}`, (e) => e.some((x) => x.type === "BOOKMARK"));
  assert.deepEqual(brief(events), ["ADDED a", "BOOKMARK"]);
  const { metadata } = events[1]?.object ?? {};
  assert.deepEqual(metadata.annotations, { "k8s.io/initial-events-end": "true" });
  assert.equal(metadata.resourceVersion, (await h.must(200, "GET", CMS)).body.metadata.resourceVersion);
  await h.must(422, "GET", `${CMS}?watch=true&sendInitialEvents=true`);
});

test("a watch from a list's revision sees what comes, deletions with a new revision", async (t) => {
  const h = await startHarness(t);
  const from = (await h.must(200, "GET", CMS)).body.metadata.resourceVersion;
  const watching = h.watch(`${CMS}?watch=true&resourceVersion=${from}`, (e) => e.length === 3);
  const { body } = await h.must(201, "POST", CMS, { body: { metadata: { name: "a" } } });
  await h.must(200, "PATCH", `${CMS}/a`, { type: "application/merge-patch+json", body: { data: { k: "v" } } });
  await h.must(200, "DELETE", `${CMS}/a`);
  const events = await watching;
  assert.deepEqual(brief(events), ["ADDED a", "MODIFIED a", "DELETED a"]);
  assert.ok(Number(events[2]?.object.metadata.resourceVersion) > Number(body.metadata.resourceVersion) + 1);
});

test("a watch of the far future ends with 410 in the stream", async (t) => {
  const h = await startHarness(t);
  const events = await h.watch(`${CMS}?watch=true&resourceVersion=999999`, () => false);
  assert.deepEqual([events[0]?.type, events[0]?.object.code, events[0]?.object.reason], ["ERROR", 410, "Expired"]);
});

test("a watch resumes across a restart of the server", async (t) => {
  const h = await startHarness(t);
  const from = (await h.must(200, "GET", CMS)).body.metadata.resourceVersion;
  await h.must(201, "POST", CMS, { body: { metadata: { name: "a" } } });
  await h.server.close();
  const again = await startHarness(t, { stateDir: h.stateDir });
  const events = await again.watch(`${CMS}?watch=true&resourceVersion=${from}`, (e) => e.length === 1);
  assert.deepEqual(brief(events), ["ADDED a"]);
});

test("selectors, one object by name, and timeoutSeconds", async (t) => {
  const h = await startHarness(t);
  await h.must(201, "POST", CMS, { body: { metadata: { name: "a", labels: { app: "x" } } } });
  await h.must(201, "POST", CMS, { body: { metadata: { name: "b" } } });
  const byLabel = await h.watch(`${CMS}?watch=true&labelSelector=app%3Dx&timeoutSeconds=1`, () => false);
  assert.deepEqual(brief(byLabel), ["ADDED a"]);
  const byName = await h.watch(`${CMS}?watch=true&fieldSelector=metadata.name%3Db`, (e) => e.length === 1);
  assert.deepEqual(brief(byName), ["ADDED b"]);
});

test("a Table watch wraps every object in a Table of one row", async (t) => {
  const h = await startHarness(t);
  await h.must(201, "POST", CMS, { body: { metadata: { name: "a" } } });
  const list = await h.must(200, "GET", CMS, { accept: TABLE });
  assert.equal(list.body.kind, "Table");
  assert.equal(list.headers["content-type"], "application/json;as=Table;g=meta.k8s.io;v=v1");
  const events = await h.watch(`${CMS}?watch=true`, (e) => e.length === 1, TABLE);
  assert.equal(events[0]?.object.kind, "Table");
  assert.equal(events[0]?.object.rows[0].object.metadata.name, "a");
});

test("a client that does not read is cut off, others are not", async (t) => {
  const h = await startHarness(t);
  const slow = await h.open(`${CMS}?watch=true`);
  slow.pause();
  let isCut = false;
  slow.on("error", () => {
    isCut = true;
  });
  slow.on("close", () => {
    isCut = true;
  });
  const value = "x".repeat(900_000);
  await h.must(201, "POST", CMS, { body: { metadata: { name: "a" } } });
  let n = 0;
  await eventually(
    "the slow watch is cut",
    async () => {
      n++;
      const body = { data: { value: `${n}${value}` } };
      await h.must(200, "PATCH", `${CMS}/a`, { type: "application/merge-patch+json", body });
      const { text } = await h.must(200, "GET", "/metrics");
      assert.match(text, /longrunning_requests\{verb="WATCH"\} 0/);
    },
    20_000,
  );
  slow.resume();
  await eventually("the client notices", () => assert.ok(isCut));
});
