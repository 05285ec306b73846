/** A short temporary directory (unix socket paths are limited to 103 bytes), removed at the end of the test. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface TestScope {
  after(fn: () => void): void;
}

export function tempDir(test: TestScope): string {
  const dir = mkdtempSync(join(tmpdir(), "ag-"));
  test.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}
