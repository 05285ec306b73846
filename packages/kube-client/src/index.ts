export type { KubeClient, KubeList, ListOptions, ObjectRef, PatchType, WatchEvent } from "./client.ts";
