export { eventually } from "./eventually.ts";
export { createFakeClock, type FakeClock, settle } from "./fake-clock.ts";
export { type TestScope, tempDir } from "./temp-dir.ts";
