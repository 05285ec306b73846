export {
  createImageIndex,
  type ImageEntry,
  type ImageFailure,
  type ImageIndex,
  type ResolvedImage,
} from "./image-index.ts";
export { startKubelet } from "./kubelet.ts";
export { loadImageIndex } from "./load-image-index.ts";
export type { Kubelet, KubeletOptions, KubeletServing } from "./options.ts";
export type { ProcessExited, ProcessStartParams, ProcessSupervisor, SupervisedProcess } from "./process-supervisor.ts";
