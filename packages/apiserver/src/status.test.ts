import assert from "node:assert/strict";
import { test } from "node:test";
import { MeshError } from "@argyle/core";
import { resourceOf } from "@argyle/kube-types";
import { conflict, invalid, MODIFIED, notFound, toStatus } from "./status.ts";

const deployments = resourceOf("Deployment");

test("names a resource with its group", () => {
  assert.equal(notFound(deployments, "x").status.message, 'deployments.apps "x" not found');
  assert.match(
    conflict(deployments, "x", MODIFIED).status.message ?? "",
    /^Operation cannot be fulfilled on deployments.apps "x": /,
  );
});

test("puts the whole text of an invalid object into message and causes", () => {
  const { status } = invalid("Deployment", "apps", "x", [
    { path: "spec.a", message: "Required value" },
    { path: "spec.b", message: 'Invalid value: "y": must be z' },
  ]);
  assert.equal(status.code, 422);
  assert.equal(
    status.message,
    'Deployment.apps "x" is invalid: [spec.a: Required value, spec.b: Invalid value: "y": must be z]',
  );
  assert.deepEqual(status.details?.causes, [
    { reason: "FieldValueRequired", message: "Required value", field: "spec.a" },
    { reason: "FieldValueInvalid", message: 'Invalid value: "y": must be z', field: "spec.b" },
  ]);
});

test("a full disk is 507 with advice, anything unknown 500", () => {
  const full = new MeshError("no space left", { code: "apiserver.store.full", advice: "free some space" });
  const { status } = toStatus(full);
  assert.deepEqual([status.code, status.message], [507, "no space left: free some space"]);
  const unknown = toStatus(new Error("boom"));
  assert.deepEqual([unknown.status.code, unknown.isUnexpected], [500, true]);
  assert.equal(unknown.status.message, "Internal error occurred: boom");
});
