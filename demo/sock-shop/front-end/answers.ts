/** Reads what the services answer: only what the front-end needs, checked, everything else passed on as it is. */
import { BackendError, type ServiceName } from "./backend.ts";

export type Json = Readonly<Record<string, unknown>>;

export function objectOf(service: ServiceName, value: unknown): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new BackendError(service, 502, `${service} answered in an unexpected form`);
  return value as Json;
}

export function listOf(service: ServiceName, value: unknown): readonly Json[] {
  if (!Array.isArray(value)) throw new BackendError(service, 502, `${service} answered in an unexpected form`);
  return value.map((item) => objectOf(service, item));
}

/** `{"_embedded": {"card": […]}}` of application/hal+json. */
export function embedded(service: ServiceName, value: unknown, name: string): readonly Json[] {
  return listOf(service, objectOf(service, objectOf(service, value)._embedded)[name]);
}

export function textOf(service: ServiceName, value: unknown): string {
  if (typeof value !== "string" || value === "")
    throw new BackendError(service, 502, `${service} answered in an unexpected form`);
  return value;
}

/** Where a HAL resource says that it is. */
export function selfLink(service: ServiceName, resource: Json): string {
  return textOf(service, objectOf(service, objectOf(service, resource._links).self).href);
}

/** A card as its owner may see it again: the last four digits, and no security code. */
export function maskCard(card: Json): Json {
  const { ccv: _, longNum, ...rest } = card;
  return { ...rest, longNum: `************${String(longNum ?? "").slice(-4)}` };
}
