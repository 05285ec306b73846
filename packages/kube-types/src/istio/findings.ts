/** Where the validation of Istio's kinds puts what it finds: errors refuse the object, warnings only reach the person who applied it. */
import type { Problem } from "@argyle/core";

export interface IstioReport {
  readonly errors: readonly Problem[];
  readonly warnings: readonly string[];
}

export interface Findings {
  error(path: string, message: string): void;
  warn(message: string): void;
}

export function collectFindings(run: (to: Findings) => void): IstioReport {
  const errors: Problem[] = [];
  const warnings: string[] = [];
  run({
    error: (path, message) => errors.push({ path, message }),
    warn: (message) => warnings.push(message),
  });
  return { errors, warnings };
}
