/** The queue-master's REST API: health and metrics only, as the original's; its work comes from the queue. */
import { createService, healthRoute, type Service } from "@sock-shop/kit";
import type { Worker } from "./worker.ts";

export function createQueueMasterService(worker: Worker, log?: (line: string) => void): Service {
  return createService({
    name: "queue-master",
    ...(log === undefined ? {} : { log }),
    onError: (error) => ({ status: error.status, json: { status: error.status, message: error.message } }),
    routes: [
      healthRoute({
        service: "queue-master",
        timeField: "date",
        needs: { name: "queue-master-rabbitmq", isUp: () => worker.isConnected(), isVital: false },
      }),
    ],
  });
}
