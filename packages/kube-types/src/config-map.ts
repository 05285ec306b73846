/** ConfigMap. Source: Kubernetes API reference, core/v1 ConfigMap. */
import type { KubeObject } from "./object.ts";

export interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
  /** Base64. */
  readonly binaryData?: Readonly<Record<string, string>>;
  readonly immutable?: boolean;
}
