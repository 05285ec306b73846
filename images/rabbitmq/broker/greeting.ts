/** What the broker says of itself first: version of the protocol, capabilities, mechanisms. */
import type { Arguments } from "../amqp/methods.ts";
import { flag, type Table, text } from "../amqp/values.ts";

export interface Product {
  readonly name: string;
  readonly version: string;
}

export function startArguments(product: Product): Arguments<"connection.start"> {
  const capabilities: Table = new Map(
    [
      "publisher_confirms",
      "exchange_exchange_bindings",
      "basic.nack",
      "consumer_cancel_notify",
      "connection.blocked",
      "authentication_failure_close",
      "per_consumer_qos",
    ].map((name) => [name, flag(true)]),
  );
  return {
    major: 0,
    minor: 9,
    serverProperties: new Map([
      ["capabilities", { type: "F", value: capabilities }],
      ["product", text(product.name)],
      ["version", text(product.version)],
      ["platform", text(`Node.js ${process.version}`)],
    ]),
    mechanisms: Buffer.from("PLAIN AMQPLAIN"),
    locales: Buffer.from("en_US"),
  };
}
