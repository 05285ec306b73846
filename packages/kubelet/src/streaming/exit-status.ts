/** How a session ended, as the metav1.Status that clients read from the error stream: kubectl takes the exit code from details.causes. */
export interface Status {
  readonly metadata: Readonly<Record<string, never>>;
  readonly status: "Success" | "Failure";
  readonly reason?: string;
  readonly message?: string;
  readonly details?: { readonly causes: readonly { readonly reason: string; readonly message: string }[] };
  readonly code?: number;
}

export type SessionEnd =
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "failed"; readonly message: string };

export function statusFor(end: SessionEnd): Status {
  if (end.kind === "failed") {
    return { metadata: {}, status: "Failure", reason: "InternalError", message: end.message, code: 500 };
  }
  if (end.code === 0) return { metadata: {}, status: "Success" };
  return {
    metadata: {},
    status: "Failure",
    reason: "NonZeroExitCode",
    message: `command terminated with exit code ${end.code}`,
    details: { causes: [{ reason: "ExitCode", message: String(end.code) }] },
  };
}
