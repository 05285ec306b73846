/** shipping: takes shipments and queues them for the queue-master. The original image's JAVA_OPTS and arguments are accepted and mean nothing here. */
import { flagValue, runService } from "@sock-shop/kit";
import { openOutbox } from "./outbox.ts";
import { createShippingService } from "./service.ts";

const argv = process.argv.slice(2);
const outbox = openOutbox({
  url: process.env.AMQP_URL ?? "amqp://guest:guest@rabbitmq:5672",
  queue: "shipping-task",
  log: (line) => process.stdout.write(line),
});
const port = Number(flagValue(argv, "port") ?? flagValue(argv, "server.port") ?? process.env.PORT ?? 80);
runService({ name: "shipping", port, service: createShippingService(outbox), onClose: () => outbox.close() });
