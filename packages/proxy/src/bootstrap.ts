/** A static Envoy bootstrap (static_resources, node, and files for dynamic resources) given to a runtime. */
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { type Address, compileAddress } from "./config/address.ts";
import { Fields } from "./config/fields.ts";
import type { NodeIdentity } from "./proxy-deps.ts";
import { type RejectedResource, type ResourceSink, TYPE_URL } from "./resource-sink.ts";

export interface Bootstrap {
  readonly node: NodeIdentity;
  readonly admin: Address | undefined;
  /** Applies the resources; what is wrong comes back. */
  apply(sink: ResourceSink): readonly RejectedResource[];
  /** Files of dynamic_resources, to be watched. */
  readonly files: readonly { readonly typeUrl: string; readonly path: string }[];
}

/** YAML or JSON (which is YAML). */
export function parseBootstrap(text: string): Bootstrap {
  const problems: { path: string; message: string }[] = [];
  const fields = new Fields(parse(text) ?? {}, "", { problems });
  const node = fields.object("node");
  const resources = fields.object("static_resources");
  const admin = fields.object("admin");
  const dynamic = fields.object("dynamic_resources");
  const file = (name: string, typeUrl: string) => {
    const source = dynamic?.object(name);
    const path = source?.object("path_config_source")?.string("path") ?? source?.string("path");
    return path === undefined || path === "" ? [] : [{ typeUrl, path }];
  };
  return {
    node: {
      id: node?.string("id") ?? "",
      cluster: node?.string("cluster") ?? "",
      metadata: node?.object("metadata")?.raw ?? {},
    },
    admin: admin?.has("address") === true ? compileAddress(admin.object("address"), admin) : undefined,
    files: [...file("cds_config", TYPE_URL.cluster), ...file("lds_config", TYPE_URL.listener)],
    apply(sink) {
      const give = (typeUrl: string, list: readonly Fields[]) =>
        sink.apply(
          typeUrl,
          list.map((item) => ({ name: item.string("name"), version: "", resource: item.raw })),
          [],
        );
      return [
        ...problems.map(({ path, message }) => ({ name: path, message })),
        ...give(TYPE_URL.secret, resources?.list("secrets") ?? []),
        ...give(TYPE_URL.cluster, resources?.list("clusters") ?? []),
        ...give(TYPE_URL.listener, resources?.list("listeners") ?? []),
      ];
    },
  };
}

/** The `resources:` of a dynamic resource file (a DiscoveryResponse). */
export function readResourceFile(
  path: string,
): readonly { readonly name: string; readonly version: string; readonly resource: object }[] {
  const response = new Fields(parse(readFileSync(path, "utf8")) ?? {}, "", { problems: [] });
  const version = response.string("version_info");
  return response.list("resources").map((item) => {
    const { "@type": _type, ...resource } = item.raw;
    return { name: item.string("name"), version, resource };
  });
}
