/** What every translation takes: the state, who it is for, and what that proxy may see. */
import type { MeshState } from "../model/mesh-state.ts";
import type { ProxyScope } from "../model/scope.ts";
import type { ProxyNode } from "../serve/config-source.ts";

export type ProxyView = Pick<
  ProxyNode,
  "id" | "type" | "ip" | "name" | "namespace" | "labels" | "metadata" | "filters"
>;

export interface TranslateContext {
  readonly state: MeshState;
  readonly node: ProxyView;
  readonly scope: ProxyScope;
}
