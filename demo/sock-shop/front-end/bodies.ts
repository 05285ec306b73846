/** Reads what the pages and API clients send; every problem is a 400 that names the field. Pure, but for the request's body itself. */
import { HttpError, type Request } from "@sock-shop/kit";

export type Fields = Readonly<Record<string, unknown>>;

const MAX_QUANTITY = 999;
const MAX_TEXT = 200;

export async function readFields(request: Request): Promise<Fields> {
  return fieldsOf(await request.json());
}

/** Like readFields, but no body at all is an empty object. */
export async function readOptionalFields(request: Request): Promise<Fields> {
  const hasBody =
    Number(request.headers["content-length"] ?? 0) > 0 || request.headers["transfer-encoding"] !== undefined;
  return hasBody ? readFields(request) : {};
}

export function readText(fields: Fields, name: string): string {
  const value = fields[name];
  const text = typeof value === "number" ? String(value) : value;
  if (typeof text !== "string" || text.trim() === "") throw new HttpError(400, `${name} is required`);
  if (text.length > MAX_TEXT) throw new HttpError(400, `${name} is longer than ${MAX_TEXT} characters`);
  if (/[\x00-\x1f\x7f]/.test(text)) throw new HttpError(400, `${name} holds characters that are not allowed`);
  return text.trim();
}

export function readOptionalText(fields: Fields, name: string): string | undefined {
  const value = fields[name];
  return value === undefined || value === null || value === "" ? undefined : readText(fields, name);
}

/** A whole number from 1 to MAX_QUANTITY, or its decimal digits (a form's value is a text). */
export function readQuantity(fields: Fields, fallback?: number): number {
  const value = fields.quantity ?? fallback;
  const quantity = typeof value === "string" && /^\d{1,6}$/.test(value) ? Number(value) : value;
  if (typeof quantity !== "number" || !Number.isSafeInteger(quantity) || quantity < 1 || quantity > MAX_QUANTITY)
    throw new HttpError(400, `quantity must be a whole number from 1 to ${MAX_QUANTITY}`);
  return quantity;
}

export interface NewCard {
  readonly longNum: string;
  readonly expires: string;
  readonly ccv: string;
}

export function readCard(fields: Fields): NewCard {
  const longNum = readText(fields, "longNum").replaceAll(/[ -]/g, "");
  const expires = readText(fields, "expires");
  const ccv = readText(fields, "ccv");
  if (!/^\d{12,19}$/.test(longNum)) throw new HttpError(400, "longNum must be 12 to 19 digits");
  if (!/^(0[1-9]|1[0-2])\/\d{2}$/.test(expires)) throw new HttpError(400, "expires must be MM/YY");
  if (!/^\d{3,4}$/.test(ccv)) throw new HttpError(400, "ccv must be 3 or 4 digits");
  return { longNum, expires, ccv };
}

export interface NewAddress {
  readonly street: string;
  readonly number: string;
  readonly country: string;
  readonly city: string;
  readonly postcode: string;
}

export function readAddress(fields: Fields): NewAddress {
  return {
    street: readText(fields, "street"),
    number: readText(fields, "number"),
    country: readText(fields, "country"),
    city: readText(fields, "city"),
    postcode: readText(fields, "postcode"),
  };
}

export interface Registration {
  readonly username: string;
  readonly password: string;
  readonly email: string;
  readonly firstName: string;
  readonly lastName: string;
}

export function readRegistration(fields: Fields): Registration {
  const username = readText(fields, "username");
  if (username.includes(":")) throw new HttpError(400, "username must not hold a colon");
  const password = fields.password;
  // Spaces at the ends are part of a password.
  if (typeof password !== "string" || password === "" || password.length > MAX_TEXT)
    throw new HttpError(400, `password is required, at most ${MAX_TEXT} characters`);
  return {
    username,
    password,
    email: readOptionalText(fields, "email") ?? "",
    firstName: readOptionalText(fields, "firstName") ?? "",
    lastName: readOptionalText(fields, "lastName") ?? "",
  };
}

function fieldsOf(body: unknown): Fields {
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw new HttpError(400, "the body must be a JSON object");
  return body as Fields;
}
