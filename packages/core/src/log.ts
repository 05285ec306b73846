/**
 * Component logs, in Istio's text form: tab-separated `time level scope message k=v`, or one JSON object a line.
 * A Logger is passed in; where the lines go is decided once, in each process's main.ts.
 */
import { type Clock, rfc3339 } from "./clock.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** The same destination and level under another scope name. */
  scope(name: string): Logger;
}

export interface LoggerOptions {
  readonly scope: string;
  readonly clock: Clock;
  readonly write: (line: string) => void;
  readonly level?: LogLevel;
  readonly format?: "text" | "json";
}

const ORDER: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

export function createLogger(options: LoggerOptions): Logger {
  const threshold = ORDER[options.level ?? "info"];
  const emit = (level: LogLevel, message: string, fields: LogFields | undefined) => {
    if (ORDER[level] < threshold) return;
    const time = rfc3339(options.clock.now());
    options.write(
      options.format === "json"
        ? `${JSON.stringify({ time, level, scope: options.scope, msg: message, ...fields })}\n`
        : `${time}\t${level}\t${options.scope}\t${message}${formatFields(fields)}\n`,
    );
  };
  return {
    debug: (message, fields) => emit("debug", message, fields),
    info: (message, fields) => emit("info", message, fields),
    warn: (message, fields) => emit("warn", message, fields),
    error: (message, fields) => emit("error", message, fields),
    scope: (name) => createLogger({ ...options, scope: name }),
  };
}

/** Says nothing; for tests and for callers that have no place to write. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  scope: () => silentLogger,
};

function formatFields(fields: LogFields | undefined): string {
  if (fields === undefined) return "";
  let text = "";
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const plain = String(value);
    text += `\t${key}=${/[\s"=]/.test(plain) ? JSON.stringify(plain) : plain}`;
  }
  return text;
}
