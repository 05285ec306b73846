/** What a pod is told about containers that run programs of the host which are not Node: what of them the mesh and the volumes do not reach. */
import type { Container } from "@argyle/kube-types";
import type { PodEvents } from "./context.ts";

export interface HostProgramEvents {
  /** `hidesMounts`: it has volumes, and this host permits no mount namespace that would show them. */
  onStart(container: Container, hidesMounts: boolean): void;
}

/** One a pod. */
export function createHostProgramEvents(events: PodEvents): HostProgramEvents {
  let hasToldNotCaptured = false;
  return {
    onStart(container, hidesMounts) {
      if (!hasToldNotCaptured) {
        hasToldNotCaptured = true;
        const message =
          `container ${container.name} is not a Node.js program: its HTTP(S) reaches the mesh by http_proxy, which most clients honour, but raw TCP ` +
          "connections are not captured and find no address of the cluster. For those open a CONNECT tunnel to $http_proxy (curl telnet://HOST:PORT, " +
          "socat PROXY:…), or use a Node.js program";
        events("Normal", "NotCaptured", message, container);
      }
      if (!hidesMounts) return;
      const list = (container.volumeMounts ?? []).map((mount) => mount.mountPath).join(", ");
      const message = `this host permits no mount namespaces: ${container.name} will not see ${list}`;
      events("Warning", "VolumesNotVisible", message, container);
    },
  };
}
