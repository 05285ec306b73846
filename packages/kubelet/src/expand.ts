/**
 * `$(VAR)` in command, args and env values. A reference that is not defined stays as it is written; `$$` is a literal `$`, so `$$(VAR)` is never expanded.
 * Source: Kubernetes API reference, Container.command and EnvVar.value.
 */
export function expandVariables(text: string, lookup: (name: string) => string | undefined): string {
  return text.replace(/\$\$|\$\(([^()$]*)\)/g, (whole, name: string | undefined) => {
    if (name === undefined) return "$";
    return lookup(name) ?? whole;
  });
}
