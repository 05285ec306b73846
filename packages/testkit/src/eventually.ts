/** Polls a condition with a deadline, for tests on real sockets and processes. Fails with what was last seen. */
export async function eventually<T>(
  what: string,
  attempt: () => Promise<T> | T,
  deadlineMs = 5000,
  everyMs = 10,
): Promise<T> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`, { cause: error });
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
