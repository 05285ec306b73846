/** Writes a Reply, a Status or plain JSON. The only place that knows the response's head. */
import { apiVersionOf, type KubeObject, type Status } from "@argyle/kube-types";
import { stringify as stringifyYaml } from "yaml";
import type { ApiResponse, Reply, ResourceCall } from "./context.ts";
import { buildTable, chooseForm, encodeStored, type Form, inVersion, toPartial } from "./representation.ts";

export function sendReply(call: ResourceCall, reply: Reply): void {
  if (reply.kind === "taken") return;
  const form = chooseForm(call.request.headers.accept, call.query.get("includeObject"));
  setWarnings(call.response, call.warnings);
  const code = reply.kind === "list" ? 200 : reply.code;
  sendText(call.response, code, encodeReply(call, reply, form), contentTypeOf(form, reply));
}

function encodeReply(call: ResourceCall, reply: Exclude<Reply, { kind: "taken" }>, form: Form): string {
  const { resource, version } = call.target;
  const nowMs = call.context.clock.now();
  switch (reply.kind) {
    case "json":
      return form.kind === "yaml" ? stringifyYaml(reply.body) : JSON.stringify(reply.body);
    case "object": {
      const { object } = reply;
      if (form.kind === "plain") return encodeStored(object, resource, version);
      if (form.kind === "yaml") return stringifyYaml(inVersion(object, resource, version));
      if (form.kind === "partial") return JSON.stringify(toPartial(object, form.version));
      const resourceVersion = object.metadata.resourceVersion ?? "";
      return JSON.stringify(buildTable([object], { resource, version, form, nowMs, resourceVersion }));
    }
    case "list": {
      const resourceVersion = String(reply.revision);
      if (form.kind === "table") {
        return JSON.stringify(buildTable(reply.items, { resource, version, form, nowMs, resourceVersion }));
      }
      if (form.kind === "partial") {
        return JSON.stringify({
          kind: "PartialObjectMetadataList",
          apiVersion: `meta.k8s.io/${form.version}`,
          metadata: { resourceVersion },
          items: reply.items.map((item) => toPartial(item, form.version)),
        });
      }
      const head = `{"kind":"${resource.kind}List","apiVersion":"${apiVersionOf(resource, version)}","metadata":{"resourceVersion":"${resourceVersion}"},"items":[`;
      const text = `${head}${reply.items.map((item: KubeObject) => encodeStored(item, resource, version)).join(",")}]}`;
      return form.kind === "yaml" ? stringifyYaml(JSON.parse(text)) : text;
    }
  }
}

function contentTypeOf(form: Form, reply: Reply): string {
  if (form.kind === "yaml") return "application/yaml";
  if (reply.kind === "json" || form.kind === "plain") return "application/json";
  const as =
    form.kind === "table" ? "Table" : reply.kind === "list" ? "PartialObjectMetadataList" : "PartialObjectMetadata";
  return `application/json;as=${as};g=meta.k8s.io;v=${form.version}`;
}

export function sendStatus(response: ApiResponse, status: Status): void {
  sendText(response, status.code, JSON.stringify(status), "application/json");
}

export function sendJson(response: ApiResponse, body: unknown, contentType = "application/json"): void {
  sendText(response, 200, JSON.stringify(body), contentType);
}

export function sendText(response: ApiResponse, code: number, text: string, contentType: string): void {
  response.statusCode = code;
  response.setHeader("content-type", contentType);
  response.setHeader("cache-control", response.getHeader("cache-control") ?? "no-cache, private");
  response.setHeader("content-length", Buffer.byteLength(text));
  response.end(text);
}

/** RFC 7234 warn-code 299 with a quoted text, as kubectl reads it; control characters cannot travel in a header. */
function setWarnings(response: ApiResponse, warnings: readonly string[]): void {
  if (warnings.length === 0) return;
  const quoted = warnings.map((w) => {
    const plain = w.replace(/[^\t\x20-\x7e]/g, (c) => (c.charCodeAt(0) < 0x20 ? " " : encodeURIComponent(c)));
    return `299 - "${plain.replace(/["\\]/g, "\\$&")}"`;
  });
  response.setHeader("warning", quoted);
}
