/** Reads request bodies of the user service; every problem is a 400 that names the field. */
import { HttpError, type Request } from "@sock-shop/kit";
import type { Address, Card, Registration } from "./store.ts";

const MAX_TEXT = 200;
/** What PostgreSQL can't keep as it is: NUL, and halves of a character. */
const UNSTORABLE = /[\0\p{Surrogate}]/u;

export function readRegistration(body: unknown): Registration {
  const { username, password, email, firstName, lastName } = fieldsOf(body);
  return {
    username: required("username", username),
    password: required("password", password),
    email: optional("email", email),
    firstName: optional("firstName", firstName),
    lastName: optional("lastName", lastName),
  };
}

export function readAddress(body: unknown): Omit<Address, "id"> {
  const { street, number, country, city, postcode } = fieldsOf(body);
  return {
    street: required("street", street),
    number: required("number", number),
    country: required("country", country),
    city: required("city", city),
    postcode: required("postcode", postcode),
  };
}

export function readCard(body: unknown): Omit<Card, "id"> {
  const { longNum, expires, ccv } = fieldsOf(body);
  return { longNum: required("longNum", longNum), expires: required("expires", expires), ccv: required("ccv", ccv) };
}

/** Whom an address or card belongs to; an orphan is allowed, as in the original. */
export function readUserId(body: unknown): string | undefined {
  const text = optional("userID", fieldsOf(body).userID);
  return text === "" ? undefined : text;
}

/** The id in the path; one that can't exist is 404 without asking the database. */
export function readId(request: Request): string {
  const id = request.params.id ?? "";
  if (!/^[0-9a-f]{24}$/.test(id)) throw new HttpError(404, "not found");
  return id;
}

function fieldsOf(body: unknown): Readonly<Record<string, unknown>> {
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw new HttpError(400, "the body must be a JSON object");
  return body as Readonly<Record<string, unknown>>;
}

function required(name: string, value: unknown): string {
  const text = optional(name, value);
  if (text === "") throw new HttpError(400, `${name} is required`);
  return text;
}

function optional(name: string, value: unknown): string {
  if (value === undefined || value === null) return "";
  const text = typeof value === "number" ? String(value) : value;
  if (typeof text !== "string") throw new HttpError(400, `${name} must be a text`);
  if (text.length > MAX_TEXT) throw new HttpError(400, `${name} is longer than ${MAX_TEXT} characters`);
  if (UNSTORABLE.test(text)) throw new HttpError(400, `${name} holds a character that can't be stored`);
  return text;
}
