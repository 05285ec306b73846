/**
 * The system's share of metadata: what a client cannot set, on create and on update.
 * Source: Kubernetes API conventions, "Metadata"; k8s.io/apiserver registry/rest BeforeCreate and BeforeUpdate (behaviour).
 */
import { randomInt, randomUUID } from "node:crypto";
import { type Clock, rfc3339Seconds } from "@argyle/core";
import type { KubeObject, Resource } from "@argyle/kube-types";
import { ensureObject, equalJson, type JsonObject, objectOf, textOf } from "../json.ts";
import { badRequest, failure, invalid } from "../status.ts";

/** The letters of generated names: no vowels, so that no words appear. */
const SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789";
const MAX_GENERATED_PREFIX = 58;

export function randomSuffix(): string {
  let suffix = "";
  for (let i = 0; i < 5; i++) suffix += SUFFIX_LETTERS[randomInt(SUFFIX_LETTERS.length)];
  return suffix;
}

export function prepareMetadataForCreate(
  object: JsonObject,
  resource: Resource,
  namespace: string | undefined,
  clock: Clock,
): void {
  const metadata = ensureObject(object, "metadata");
  const given = textOf(metadata.namespace) ?? "";
  if (resource.namespaced) {
    if (given !== "" && given !== namespace) {
      throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
    }
    metadata.namespace = namespace;
  } else delete metadata.namespace;
  if (textOf(metadata.resourceVersion) ?? "")
    throw badRequest("resourceVersion should not be set on objects to be created");
  const prefix = textOf(metadata.generateName) ?? "";
  if ((textOf(metadata.name) ?? "") === "") {
    if (prefix === "") {
      throw invalid(resource.kind, resource.group, "", [
        { path: "metadata.name", message: "Required value: name or generateName is required" },
      ]);
    }
    metadata.name = `${prefix.slice(0, MAX_GENERATED_PREFIX)}${randomSuffix()}`;
  }
  for (const key of [
    "selfLink",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "resourceVersion",
    "managedFields",
  ]) {
    delete metadata[key];
  }
  metadata.uid = randomUUID();
  metadata.creationTimestamp = rfc3339Seconds(clock.now());
  delete metadata.generation;
  if (hasGeneration(object, resource)) metadata.generation = 1;
}

/** Puts back what an update must not change; refuses another uid. */
export function prepareMetadataForUpdate(object: JsonObject, current: KubeObject, resource: Resource): void {
  const metadata = ensureObject(object, "metadata");
  const old = current.metadata;
  const name = textOf(metadata.name);
  if (name !== undefined && name !== old.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${old.name})`);
  }
  const namespace = textOf(metadata.namespace) ?? "";
  if (namespace !== "" && namespace !== (old.namespace ?? "")) {
    throw badRequest("the namespace of the object does not match the namespace on the URL");
  }
  const uid = textOf(metadata.uid) ?? "";
  if (uid !== "" && uid !== old.uid) {
    throw failure(
      409,
      "Conflict",
      `Operation cannot be fulfilled on ${resource.plural} "${old.name}": Precondition failed: UID in precondition: ${uid}, UID in object meta: ${old.uid}`,
    );
  }
  keep(metadata, "name", old.name);
  keep(metadata, "namespace", old.namespace);
  keep(metadata, "uid", old.uid);
  keep(metadata, "generateName", old.generateName);
  keep(metadata, "creationTimestamp", old.creationTimestamp);
  keep(metadata, "deletionTimestamp", old.deletionTimestamp);
  keep(metadata, "deletionGracePeriodSeconds", old.deletionGracePeriodSeconds);
  keep(metadata, "generation", old.generation);
  delete metadata.selfLink;
}

/** One more when anything but metadata and status has changed. */
export function nextGeneration(object: JsonObject, current: KubeObject): void {
  const generation = current.metadata.generation;
  if (generation === undefined) return;
  const { metadata: _m, status: _s, ...now } = object;
  const { metadata: _om, status: _os, ...before } = objectOf(current);
  if (!equalJson(now, before)) ensureObject(object, "metadata").generation = generation + 1;
}

const WITHOUT_GENERATION = new Set(["Service", "Namespace", "Node", "Lease"]);

function hasGeneration(object: JsonObject, resource: Resource): boolean {
  if (resource.custom === true || resource.group === "admissionregistration.k8s.io") return true;
  return object.spec !== undefined && !WITHOUT_GENERATION.has(resource.kind);
}

function keep(metadata: JsonObject, key: string, value: unknown): void {
  if (value === undefined) delete metadata[key];
  else metadata[key] = value;
}
