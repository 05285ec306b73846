/** POST serviceaccounts/NAME/token: the TokenRequest API. Source: Kubernetes API reference, authentication.k8s.io/v1 TokenRequest. */
import { randomUUID } from "node:crypto";
import { rfc3339Seconds } from "@argyle/core";
import { type KubeObject, resourceOf } from "@argyle/kube-types";
import { decodeBody, readBody } from "../body.ts";
import type { Reply, ResourceCall } from "../context.ts";
import { isJsonObject, type JsonObject, listOf, objectOf, textAt } from "../json.ts";
import { ISSUER, signToken } from "../jwt.ts";
import { conflict, invalid, notFound } from "../status.ts";

const DEFAULT_SECONDS = 3600;
const MIN_SECONDS = 600;
const MAX_SECONDS = 2 ** 32;
const PODS = resourceOf("Pod");

export async function requestToken(call: ResourceCall): Promise<Reply> {
  const { store, clock, pki } = call.context;
  const { resource, namespace = "", name = "" } = call.target;
  const account = store.get(resource, namespace, name);
  if (account === undefined) throw notFound(resource, name);
  const body = objectOf(decodeBody(await readBody(call.request), call.request.headers["content-type"]));
  const spec = objectOf(body.spec);
  const asked = listOf(spec.audiences).filter((a) => typeof a === "string");
  const audiences = asked.length === 0 ? [ISSUER] : asked;
  const seconds = typeof spec.expirationSeconds === "number" ? spec.expirationSeconds : DEFAULT_SECONDS;
  if (!(seconds >= MIN_SECONDS) || seconds > MAX_SECONDS) {
    const why =
      seconds < MIN_SECONDS
        ? "may not specify a duration less than 10 minutes"
        : "may not specify a duration larger than 2^32 seconds";
    throw invalid("TokenRequest", "authentication.k8s.io", "", [
      { path: "spec.expirationSeconds", message: `Invalid value: ${seconds}: ${why}` },
    ]);
  }
  const nowSeconds = Math.floor(clock.now() / 1000);
  const exp = nowSeconds + Math.floor(seconds);
  const bound = isJsonObject(spec.boundObjectRef) ? boundPod(call, spec.boundObjectRef, name) : undefined;
  const token = signToken(pki.serviceAccountKey, {
    aud: audiences,
    exp,
    iat: nowSeconds,
    iss: ISSUER,
    jti: randomUUID(),
    "kubernetes.io": {
      namespace,
      ...(bound === undefined ? {} : bound),
      serviceaccount: { name, uid: account.metadata.uid },
    },
    nbf: nowSeconds,
    sub: `system:serviceaccount:${namespace}:${name}`,
  });
  return {
    kind: "json",
    code: 201,
    body: {
      kind: "TokenRequest",
      apiVersion: "authentication.k8s.io/v1",
      metadata: { name, namespace, creationTimestamp: rfc3339Seconds(clock.now()) },
      spec: { ...spec, audiences, expirationSeconds: seconds },
      status: { token, expirationTimestamp: rfc3339Seconds(exp * 1000) },
    },
  };
}

/** The claims of the pod that the token lives and dies with. */
function boundPod(call: ResourceCall, reference: JsonObject, accountName: string): JsonObject {
  const kind = textAt(reference, "kind") ?? "";
  const podName = textAt(reference, "name") ?? "";
  if (kind !== "Pod") {
    throw invalid("TokenRequest", "authentication.k8s.io", "", [
      { path: "spec.boundObjectRef.kind", message: `Unsupported value: "${kind}": supported values: "Pod"` },
    ]);
  }
  const pod: KubeObject | undefined = call.context.store.get(PODS, call.target.namespace, podName);
  if (pod === undefined) throw notFound(PODS, podName);
  const uid = textAt(reference, "uid") ?? "";
  if (uid !== "" && uid !== pod.metadata.uid) {
    throw conflict(
      PODS,
      podName,
      `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  }
  if ((textAt(pod, "spec", "serviceAccountName") ?? "default") !== accountName) {
    throw invalid("TokenRequest", "authentication.k8s.io", "", [
      { path: "spec.boundObjectRef", message: "Invalid value: the pod uses another service account" },
    ]);
  }
  const nodeName = textAt(pod, "spec", "nodeName");
  return {
    pod: { name: podName, uid: pod.metadata.uid },
    ...(nodeName === undefined ? {} : { node: { name: nodeName } }),
  };
}
