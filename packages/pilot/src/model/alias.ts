/** ExternalName Services are other names of a service; what names one means the service behind it. */
import type { MeshState } from "./mesh-state.ts";

const targets = new WeakMap<MeshState["aliases"], ReadonlyMap<string, string>>();

/** The service that `host` stands for: itself unless it is an alias. */
export function concreteHost({ aliases }: Pick<MeshState, "aliases">, host: string): string {
  let known = targets.get(aliases);
  if (known === undefined) {
    known = new Map([...aliases].flatMap(([target, names]) => names.map((name) => [name, target] as const)));
    targets.set(aliases, known);
  }
  return known.get(host) ?? host;
}
