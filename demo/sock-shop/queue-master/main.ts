/** queue-master: works off the shipments that shipping has queued. The original image's JAVA_OPTS and arguments are accepted and mean nothing here. */
import { createLogLine, flagValue, runService } from "@sock-shop/kit";
import { createQueueMasterService } from "./service.ts";
import { startWorker } from "./worker.ts";

const argv = process.argv.slice(2);
const log = (line: string) => void process.stdout.write(line);
const worker = startWorker({
  url: process.env.AMQP_URL ?? "amqp://guest:guest@rabbitmq:5672",
  queue: "shipping-task",
  log,
  // As in the original, all the work there is: no parcel leaves the demo.
  async ship({ id, name }, redelivered) {
    log(createLogLine("info", `Received shipment task: ${name}`, { id, redelivered }));
  },
});
const port = Number(flagValue(argv, "port") ?? flagValue(argv, "server.port") ?? process.env.PORT ?? 80);
runService({ name: "queue-master", port, service: createQueueMasterService(worker), onClose: () => worker.close() });
