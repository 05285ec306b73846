/** A reference to another object, as Events and Endpoints carry it. Source: Kubernetes API reference, core/v1 ObjectReference. */
export interface ObjectReference {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  /** `spec.containers{front-end}` when the event is about one container. */
  readonly fieldPath?: string;
}
