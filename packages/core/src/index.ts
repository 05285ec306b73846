export { type BackoffPolicy, backoffDelay } from "./backoff.ts";
export { type Clock, parseRfc3339, rfc3339, rfc3339Seconds, sleep, systemClock, type Timer } from "./clock.ts";
export { parseGoDuration, parseProtoDuration, toProtoDuration } from "./duration.ts";
export { describeError, type ErrorOrigin, errnoOf, MeshError, type MeshErrorFields } from "./errors.ts";
export { createLogger, type LogFields, type Logger, type LoggerOptions, type LogLevel, silentLogger } from "./log.ts";
export { type FlagSpec, type FlagSpecs, formatFlags, type ParsedOptions, parseOptions } from "./options.ts";
export { err, formatProblems, ok, type Problem, type Result } from "./result.ts";
export { ARGYLE_VERSION, ENVOY_VERSION, ISTIO_VERSION, KUBERNETES_VERSION } from "./versions.ts";
export { createWorkQueue, type WorkQueue, type WorkQueueOptions } from "./work-queue.ts";
