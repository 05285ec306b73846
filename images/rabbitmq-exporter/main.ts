/**
 * kbudde/rabbitmq-exporter's stand-in, with its variables. It listens on PUBLISH_PORT, else on the port that the container declares
 * (manifests older than its move to 9419 say 9090), else on 9419. RABBIT_URL is in the same pod unless said otherwise.
 */
import { createExporter } from "./exporter.ts";

const env = process.env;
const declared = Number(env.ARGYLE_CONTAINER_PORTS?.split(",")[0]);
const port = Number(env.PUBLISH_PORT ?? (declared > 0 ? declared : 9419));
const exporter = createExporter({
  url: env.RABBIT_URL ?? "http://127.0.0.1:15672",
  user: env.RABBIT_USER ?? "guest",
  password: env.RABBIT_PASSWORD ?? "guest",
  timeoutMs: Number(env.RABBIT_TIMEOUT ?? 30) * 1000,
  log: (line) => process.stderr.write(`${line}\n`),
});
exporter.on("error", (error) => {
  process.stderr.write(`cannot listen on port ${port}: ${error.message}\n`);
  process.exit(1);
});
exporter.listen(port, () => process.stdout.write(`Metrics on port ${port}\n`));
const stop = () => {
  exporter.close(() => process.exit(0));
  exporter.closeIdleConnections();
};
process.once("SIGTERM", stop);
process.once("SIGINT", stop);
