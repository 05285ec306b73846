/** The supervisor's spec file: the components to start, in order. Written by the CLI; all problems are returned at once. */
import { err, ok, type Problem, type Result } from "@argyle/core";
import type { RestartPolicy, StartParams } from "./protocol.ts";

export interface ComponentSpec {
  readonly name: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** The file that gets both its stdout and stderr. */
  readonly log: string;
  readonly restart?: RestartPolicy;
}

export interface SupervisorSpec {
  readonly components: readonly ComponentSpec[];
}

const DEFAULT_RESTART: RestartPolicy = { baseMs: 200, maxMs: 10_000 };

export function parseSpec(text: string): Result<SupervisorSpec> {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (error) {
    return err([{ path: "", message: `is not JSON: ${String(error)}` }]);
  }
  const list = typeof raw === "object" && raw !== null && "components" in raw ? raw.components : undefined;
  if (!Array.isArray(list)) return err([{ path: "components", message: "must be a list" }]);
  const problems: Problem[] = [];
  for (const [i, item] of list.entries()) {
    const at = `components[${i}]`;
    for (const field of ["name", "cwd", "log"]) {
      if (typeof item?.[field] !== "string") problems.push({ path: `${at}.${field}`, message: "must be a string" });
    }
    if (!Array.isArray(item?.argv) || item.argv.length === 0) {
      problems.push({ path: `${at}.argv`, message: "must be a list with the program first" });
    }
    if (typeof item?.env !== "object" || item.env === null) {
      problems.push({ path: `${at}.env`, message: "must be an object of strings" });
    }
  }
  return problems.length === 0 ? ok(raw as SupervisorSpec) : err(problems);
}

/** Every component is restarted for ever unless its spec has another policy. */
export function toStartParams(component: ComponentSpec): StartParams {
  const { log, restart, ...rest } = component;
  return { ...rest, stdout: log, stderr: log, restart: restart ?? DEFAULT_RESTART };
}
