export type { Condition, KubeObject, LabelSelector, ObjectMeta, OwnerReference, Status } from "./object.ts";
export { apiVersionOf, findResource, RESOURCES, type Resource, resourceOf, resourcePath } from "./registry.ts";
