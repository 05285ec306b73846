/** Who a client says it is, from the response of its SASL mechanism. */
import { readBytes, textOf } from "../amqp/values.ts";

export type Authenticate = (user: string, password: string) => boolean;

export function readLogin(
  mechanism: string,
  response: Buffer,
): { readonly user: string; readonly password: string } | undefined {
  if (mechanism === "PLAIN") {
    const [, user, password] = response.toString("utf8").split("\0");
    return user === undefined || password === undefined ? undefined : { user, password };
  }
  if (mechanism !== "AMQPLAIN") return undefined;
  // A field table without its length.
  const length = Buffer.alloc(4);
  length.writeUInt32BE(response.length);
  const table = readBytes(Buffer.concat([length, response])).table();
  const user = textOf(table.get("LOGIN"));
  const password = textOf(table.get("PASSWORD"));
  return user === undefined || password === undefined ? undefined : { user, password };
}
