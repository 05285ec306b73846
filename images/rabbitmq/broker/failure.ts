/** What ends a channel or a connection, in RabbitMQ's words. https://www.rabbitmq.com/amqp-0-9-1-reference#constants */
const CODES = {
  ACCESS_REFUSED: 403,
  NOT_FOUND: 404,
  RESOURCE_LOCKED: 405,
  PRECONDITION_FAILED: 406,
  FRAME_ERROR: 501,
  SYNTAX_ERROR: 502,
  COMMAND_INVALID: 503,
  CHANNEL_ERROR: 504,
  UNEXPECTED_FRAME: 505,
  NOT_ALLOWED: 530,
  NOT_IMPLEMENTED: 540,
  INTERNAL_ERROR: 541,
} as const;

export type FailureName = keyof typeof CODES;

export class Failure extends Error {
  readonly code: number;
  /** Channel failures leave the connection and its other channels alone. */
  readonly scope: "channel" | "connection";

  constructor(name: FailureName, text: string) {
    super(`${name} - ${text}`);
    this.code = CODES[name];
    this.scope = this.code < 500 ? "channel" : "connection";
  }
}
