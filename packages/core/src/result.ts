/** Results of reading user input. All problems are collected and returned at once, each with the path of its field. */
export interface Problem {
  /** Field path as kubectl prints it: `spec.http[0].route[1].weight`. Empty for the whole object. */
  readonly path: string;
  readonly message: string;
}

export type Result<T, E = readonly Problem[]> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: E };

export function ok<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value };
}

export function err<E>(error: E): { readonly ok: false; readonly error: E } {
  return { ok: false, error };
}

/** `spec.replicas: must be a number; metadata.name: is required` */
export function formatProblems(problems: readonly Problem[]): string {
  return problems.map((p) => (p.path === "" ? p.message : `${p.path}: ${p.message}`)).join("; ");
}
