/**
 * One replayed case and its verdict. "pass": we behave as the peer; "fail": we do not, or the case crashed; "n/a": the case needs a
 * feature that we do not have, and `why` names it. Invariant: every case of the data gives exactly one line; nothing is left out.
 */
export interface Case {
  /** From the data: name, file and line. */
  readonly id: string;
  readonly result: "pass" | "fail" | "n/a";
  /** Empty for a pass. */
  readonly why: string;
}

/** The differences that a case found (none: it passes), or the feature that it needs and we lack. */
export type Verdict = readonly string[] | { readonly missing: string };

export function notApplicable(id: string, missing: string): Case {
  return { id, result: "n/a", why: missing };
}

/** Runs one case; what it throws is its failure. */
export async function judge(id: string, run: () => Verdict | Promise<Verdict>): Promise<Case> {
  try {
    const verdict = await run();
    if ("missing" in verdict) return notApplicable(id, verdict.missing);
    return verdict.length === 0 ? { id, result: "pass", why: "" } : { id, result: "fail", why: verdict.join("; ") };
  } catch (thrown) {
    const text = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    return { id, result: "fail", why: `crashed: ${text.split("\n").slice(0, 3).join("\n")}` };
  }
}

/** One difference line when the two values are not the same JSON. */
export function difference(what: string, got: unknown, want: unknown): readonly string[] {
  const [a, b] = [stable(got), stable(want)];
  return a === b ? [] : [`${what}: got ${a}, want ${b}`];
}

function stable(value: unknown): string {
  return (
    JSON.stringify(value, (_key, held: unknown) =>
      typeof held === "object" && held !== null && !Array.isArray(held)
        ? Object.fromEntries(Object.entries(held).sort(([a], [b]) => (a < b ? -1 : 1)))
        : held,
    ) ?? "nothing"
  );
}
