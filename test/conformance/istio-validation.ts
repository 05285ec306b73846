/**
 * Istio's tables of valid and invalid objects. An object is refused when its schema, Kubernetes' own validation of its metadata, or Istio's
 * semantic validation refuses it: a client sees one API and not three layers. Warnings must be there, or not, as in Istio. Texts are not compared.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createSchemas, type KubeObject, validateIstio } from "@argyle/kube-types";
import { type Case, judge, type Verdict } from "./case.ts";
import { decodeGoLiteral } from "./go-literals.ts";
import type { PeerFolder } from "./peer-folder.ts";
import { repositoryRoot } from "./repository-root.ts";

interface ValidationCase {
  readonly id?: string;
  readonly source: string;
  readonly resource: KubeObject;
  readonly expect: { readonly valid: boolean; readonly errorContains?: string; readonly warning?: boolean };
}

export async function* replay(dir: PeerFolder): AsyncGenerator<Case> {
  const schemas = createSchemas(JSON.parse(readFileSync(join(repositoryRoot, "dist/assets/schemas.json"), "utf8")));
  const verdictOf = ({ resource: literal, expect }: ValidationCase): Verdict => {
    const decoded = decodeGoLiteral(literal);
    if ("missing" in decoded) return decoded;
    const resource = decoded.value as KubeObject;
    const { apiVersion, kind } = resource;
    if (schemas.fieldAt(apiVersion, kind) === undefined)
      return { missing: `the kind ${apiVersion} ${kind} is not served` };
    const report = schemas.check(apiVersion, kind, resource);
    const shape = [
      ...report.problems.map(({ path, message }) => `${path}: ${message}`),
      ...report.unknownFields.map((path) => `${path}: unknown field`),
    ];
    const semantic = validateIstio(resource);
    const errors = [...shape, ...semantic.errors.map(({ path, message }) => `${path}: ${message}`)];
    const out: string[] = [];
    if (expect.valid && errors.length > 0) out.push(`refused, Istio accepts: ${errors.join(", ")}`);
    if (!expect.valid && errors.length === 0) {
      const named = /'([^']+)'/.exec(expect.errorContains ?? "")?.[1];
      // A Go nil has no place in the data's JSON.
      if (named !== undefined && !JSON.stringify(resource).includes(named))
        return { missing: `the data: the error is about '${named}', which the resource does not hold` };
      out.push(`accepted, Istio refuses: ${expect.errorContains ?? ""}`);
    }
    if (expect.warning !== undefined && expect.valid && expect.warning !== semantic.warnings.length > 0)
      out.push(expect.warning ? "no warning, Istio warns" : `warns, Istio does not: ${semantic.warnings.join(", ")}`);
    return out;
  };
  for (const file of dir.files(".json")) {
    for (const one of dir.json(file) as readonly ValidationCase[]) {
      yield await judge(idOf(one), () => verdictOf(one));
    }
  }
}

function idOf({ id, source, resource }: ValidationCase): string {
  return id ?? `${source} ${resource?.kind}/${String(resource?.metadata?.name)}`;
}
