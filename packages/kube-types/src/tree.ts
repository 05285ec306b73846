/** Reading and rebuilding JSON trees of unknown shape: defaults and validation work on what a client sent, before any type is certain. */
export type Tree = Readonly<Record<string, unknown>>;

export function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value as an object; an empty one for anything else. */
export function treeAt(value: unknown, ...path: readonly string[]): Tree {
  let at: unknown = value;
  for (const step of path) at = isTree(at) ? at[step] : undefined;
  return isTree(at) ? at : {};
}

/** The value as a list; an empty one for anything else. */
export function listAt(value: unknown, ...path: readonly string[]): readonly unknown[] {
  let at: unknown = value;
  for (const step of path) at = isTree(at) ? at[step] : undefined;
  return Array.isArray(at) ? at : [];
}

export function textAt(value: unknown, ...path: readonly string[]): string | undefined {
  let at: unknown = value;
  for (const step of path) at = isTree(at) ? at[step] : undefined;
  return typeof at === "string" ? at : undefined;
}

export function numberAt(value: unknown, ...path: readonly string[]): number | undefined {
  let at: unknown = value;
  for (const step of path) at = isTree(at) ? at[step] : undefined;
  return typeof at === "number" ? at : undefined;
}

export function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

/** The object with `defaults` for its absent members; the same object when nothing is absent. */
export function withDefaults(tree: Tree, defaults: Tree): Tree {
  let result: Record<string, unknown> | undefined;
  for (const [key, value] of Object.entries(defaults)) {
    if (value === undefined || !isAbsent(tree[key])) continue;
    result ??= { ...tree };
    result[key] = value;
  }
  return result ?? tree;
}

/** The object with one member rewritten, if that member is an object. */
export function mapMember(tree: Tree, key: string, rewrite: (member: Tree) => Tree): Tree {
  const member = tree[key];
  if (!isTree(member)) return tree;
  const changed = rewrite(member);
  return changed === member ? tree : { ...tree, [key]: changed };
}

/** The object with the objects of one list rewritten. */
export function mapEntries(tree: Tree, key: string, rewrite: (entry: Tree) => Tree): Tree {
  const list = tree[key];
  if (!Array.isArray(list)) return tree;
  let isChanged = false;
  const changed = list.map((entry: unknown) => {
    if (!isTree(entry)) return entry;
    const next = rewrite(entry);
    isChanged ||= next !== entry;
    return next;
  });
  return isChanged ? { ...tree, [key]: changed } : tree;
}
