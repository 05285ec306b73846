/** GET /health as the originals answer it: the service and what it needs, each OK or err, and the time in a field that differs between them. */
import type { Route } from "./http.ts";

export interface HealthOptions {
  readonly service: string;
  readonly timeField: "time" | "date";
  readonly needs?: Need;
}

export interface Need {
  readonly name: string;
  /** A rejection means no. */
  isUp(): Promise<boolean> | boolean;
  /** Whether the service is of no use without it: 503. */
  readonly isVital: boolean;
}

/** A store that answers a ping. */
export function vitalStore(name: string, store: { ping(): Promise<void> }): Need {
  return { name, isUp: () => store.ping().then(() => true), isVital: true };
}

export function healthRoute({ service, timeField, needs }: HealthOptions): Route {
  return {
    method: "GET",
    path: "/health",
    async handle() {
      const now = new Date().toISOString();
      const part = (name: string, isUp: boolean) => ({ service: name, status: isUp ? "OK" : "err", [timeField]: now });
      if (needs === undefined) return { json: { health: [part(service, true)] } };
      const isUp = await Promise.resolve(needs.isUp()).catch(() => false);
      return {
        status: isUp || !needs.isVital ? 200 : 503,
        json: { health: [part(service, true), part(needs.name, isUp)] },
      };
    },
  };
}
