export { type CallOptions, type CallResult, call } from "./call.ts";
export { hal } from "./hal.ts";
export { type HealthOptions, healthRoute, type Need, vitalStore } from "./health.ts";
export {
  createService,
  type FailedRequest,
  HttpError,
  type Request,
  type Response,
  type Route,
  type Service,
  type ServiceOptions,
} from "./http.ts";
export { createLogLine } from "./log.ts";
export { flagValue, type RunOptions, runService } from "./process.ts";
export { traceHeadersOf, traceIdOf } from "./trace.ts";
