/** What other services answer: no answer and a strange one are failures of the shop (500), never of the customer. */
import { HttpError } from "@sock-shop/kit";

export async function reach<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new HttpError(500, `${what} does not answer`, cause);
  }
}

export function parse(what: string, body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch (cause) {
    throw new HttpError(500, `${what} did not answer with JSON`, cause);
  }
}

export function objectOf(what: string): (value: unknown) => Readonly<Record<string, unknown>> {
  return (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw new HttpError(500, `${what} has an unexpected form`);
    return value as Readonly<Record<string, unknown>>;
  };
}
