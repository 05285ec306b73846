/** GET of a collection. Everything is answered at once: limit and continue may be ignored by a server, and the store is in memory. */
import type { Reply, ResourceCall } from "../context.ts";
import { readSelection } from "../selection.ts";

export function listObjects(call: ResourceCall): Reply {
  const { store } = call.context;
  const { resource, namespace } = call.target;
  const selection = readSelection(call.query, resource);
  const items = store.list(resource, namespace).filter(selection.matches);
  return { kind: "list", items, revision: store.revision() };
}
