/**
 * rabbitmq-server's stand-in: AMQP on 5672, the management API on 15672. Users and the node's name from the variables of the original image.
 * Durable queues and persistent messages are kept where a volume is mounted at /var/lib/rabbitmq.
 */
import { existsSync, realpathSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { createManagement } from "./management.ts";
import { createRabbitServer } from "./server.ts";

const env = process.env;
const users = new Map([[env.RABBITMQ_DEFAULT_USER ?? "guest", env.RABBITMQ_DEFAULT_PASS ?? "guest"]]);
const authenticate = (user: string, password: string) => users.get(user) === password;
const port = Number(env.RABBITMQ_NODE_PORT ?? 5672);
const managementPort = Number(env.RABBITMQ_MANAGEMENT_PORT ?? 15_672);
const dir = findVolume();

const rabbit = createRabbitServer({ authenticate, ...(dir === undefined ? {} : { dir }) });
const management = createManagement(rabbit, {
  authenticate,
  nodeName: env.RABBITMQ_NODENAME ?? `rabbit@${env.HOSTNAME ?? hostname()}`,
});
const fail = (what: number) => (error: Error) => {
  process.stderr.write(`cannot listen on port ${what}: ${error.message}\n`);
  process.exit(1);
};
management.on("error", fail(managementPort));
rabbit.server.on("error", fail(port));
management.listen(managementPort, () =>
  rabbit.server.listen(port, () =>
    process.stdout.write(
      `Ready: AMQP on port ${port}, management on port ${managementPort}, ${dir === undefined ? "in memory only" : `data in ${dir}`}\n`,
    ),
  ),
);
const stop = () => {
  management.close();
  management.closeAllConnections();
  void rabbit.close().then(() => process.exit(0));
};
process.once("SIGTERM", stop);
process.once("SIGINT", stop);

/** RABBITMQ_DATA_DIR, or the volume that the pod mounts; never a directory of a RabbitMQ that the host may have. */
function findVolume(): string | undefined {
  if (env.RABBITMQ_DATA_DIR !== undefined) return env.RABBITMQ_DATA_DIR;
  if (env.ARGYLE_CONTAINER_ROOTFS === undefined) return undefined;
  const mounted = join(env.ARGYLE_CONTAINER_ROOTFS, "var/lib/rabbitmq");
  return existsSync(mounted) ? realpathSync(mounted) : undefined;
}
