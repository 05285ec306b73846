/** Secret. `stringData` is write-only: defaulting moves it into `data`. Source: Kubernetes API reference, core/v1 Secret. */
import type { KubeObject } from "./object.ts";

export interface Secret extends KubeObject {
  readonly type?: string;
  /** Base64. */
  readonly data?: Readonly<Record<string, string>>;
  readonly stringData?: Readonly<Record<string, string>>;
  readonly immutable?: boolean;
}
