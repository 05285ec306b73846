export { connectSupervisor, type SupervisorClient } from "./client.ts";
export type {
  CriLog,
  ExitedEvent,
  ProcessEntry,
  ProcessExit,
  ProcessStart,
  RestartPolicy,
  SignalParams,
  StartParams,
} from "./protocol.ts";
export { type ComponentSpec, parseSpec, type SupervisorSpec } from "./spec.ts";
