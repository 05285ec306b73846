/**
 * The shipping service's REST API as the original has it: a shipment is accepted whether or not the queue is there, and published as soon as it is.
 * Differences, mends: a body that is no shipment is 400, and a full outbox 503 instead of a shipment that is lost.
 */
import { createService, HttpError, healthRoute, type Service } from "@sock-shop/kit";
import type { Outbox } from "./outbox.ts";

const MAX_TEXT = 200;

export function createShippingService(outbox: Outbox, log?: (line: string) => void): Service {
  return createService({
    name: "shipping",
    ...(log === undefined ? {} : { log }),
    onError: (error) => ({ status: error.status, json: { status: error.status, message: error.message } }),
    routes: [
      { method: "GET", path: "/shipping", handle: () => text("GET ALL Shipping Resource.") },
      {
        method: "GET",
        path: "/shipping/:id",
        handle: ({ params }) => text(`GET Shipping Resource with id: ${params.id ?? ""}`),
      },
      {
        method: "POST",
        path: "/shipping",
        async handle(request) {
          const shipment = readShipment(await request.json());
          if (!(await outbox.accept({ body: Buffer.from(JSON.stringify(shipment)), headers: request.trace })))
            throw new HttpError(503, "too many shipments wait for the queue");
          return { status: 201, json: shipment };
        },
      },
      healthRoute({
        service: "shipping",
        timeField: "date",
        // Up without its queue, as the original: shipments wait here.
        needs: { name: "shipping-rabbitmq", isUp: () => outbox.isConnected(), isVital: false },
      }),
    ],
  });
}

function text(body: string) {
  return { headers: { "content-type": "text/plain;charset=UTF-8" }, body };
}

function readShipment(body: unknown): { readonly id: string; readonly name: string } {
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw new HttpError(400, "the body must be a JSON object");
  const { id, name } = body as Readonly<Record<string, unknown>>;
  return { id: readText("id", id), name: readText("name", name) };
}

function readText(field: string, value: unknown): string {
  if (typeof value !== "string" || value === "") throw new HttpError(400, `${field} is required`);
  if (value.length > MAX_TEXT) throw new HttpError(400, `${field} is longer than ${MAX_TEXT} characters`);
  return value;
}
