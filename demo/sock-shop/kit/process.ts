/** The life of a service process: listen, say so, and end in order on SIGTERM (readiness first, then requests in flight). */
import type { Service } from "./http.ts";
import { createLogLine } from "./log.ts";

export interface RunOptions {
  readonly name: string;
  readonly port: number;
  readonly service: Service;
  /** Closed after the last request: pools, consumers. */
  readonly onClose?: () => Promise<void>;
}

export function runService(options: RunOptions): void {
  const { service } = options;
  service.server.on("error", (error) => {
    process.stderr.write(createLogLine("error", `cannot listen on port ${options.port}: ${error.message}`));
    process.exit(1);
  });
  service.server.listen(options.port, () => {
    process.stdout.write(createLogLine("info", `${options.name} listens`, { port: options.port }));
  });
  const stop = () => {
    service
      .close()
      .then(() => options.onClose?.())
      .then(
        () => process.exit(0),
        (error: unknown) => {
          process.stderr.write(createLogLine("error", `shutdown failed: ${String(error)}`));
          process.exit(1);
        },
      );
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
}

/** The value of `-name=value`, `--name=value` or `-name value` among the arguments (Go's flag forms, as the original images take). */
export function flagValue(argv: readonly string[], name: string): string | undefined {
  for (const [i, arg] of argv.entries()) {
    const match = /^--?([\w-]+)(?:=(.*))?$/s.exec(arg);
    if (match?.[1]?.toLowerCase() === name.toLowerCase()) return match[2] ?? argv[i + 1];
  }
  return undefined;
}
