import type { Target } from "../target.ts";
import { BYTE_TARGETS } from "./bytes.ts";
import { HTTP1_TARGETS } from "./http1.ts";
import { HTTP2_TARGETS } from "./http2.ts";
import { STORE_TARGETS } from "./stores.ts";

/** What `npm run fuzz -- NAME` knows. */
export const TARGETS: readonly Target[] = [...HTTP1_TARGETS, ...HTTP2_TARGETS, ...BYTE_TARGETS, ...STORE_TARGETS];
