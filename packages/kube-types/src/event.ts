/** Event, core/v1. Source: Kubernetes API reference, core/v1 Event. */
import type { KubeObject } from "./object.ts";
import type { ObjectReference } from "./object-reference.ts";

export interface Event extends KubeObject {
  readonly involvedObject: ObjectReference;
  readonly type?: "Normal" | "Warning";
  readonly reason?: string;
  readonly message?: string;
  readonly count?: number;
  readonly firstTimestamp?: string;
  readonly lastTimestamp?: string;
  readonly eventTime?: string;
  readonly source?: { readonly component?: string; readonly host?: string };
  readonly reportingComponent?: string;
  readonly reportingInstance?: string;
  readonly action?: string;
  readonly series?: { readonly count?: number; readonly lastObservedTime?: string };
}
