/**
 * Just enough of PostgreSQL's protocol to run statements as `postgres` over the unix socket, where trust is the authentication.
 * Source: PostgreSQL documentation, "Frontend/Backend Protocol", message formats.
 */
import { connect } from "node:net";

export class SqlError extends Error {
  /** SQLSTATE. */
  readonly state: string;

  constructor(state: string, message: string) {
    super(message);
    this.state = state;
  }
}

/** Runs the statements in order; a failure whose SQLSTATE is in `ignored` is passed over. Rejects when nobody answers. */
export function runStatements(
  socketPath: string,
  statements: readonly string[],
  ignored: readonly string[],
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    let buffered = Buffer.alloc(0);
    let next = 0;
    const fail = (error: Error) => {
      socket.destroy();
      reject(error);
    };
    const onMessage = (type: string, body: Buffer) => {
      if (type === "E") {
        const { state, message } = parseError(body);
        if (!ignored.includes(state)) fail(new SqlError(state, message));
      } else if (type === "Z") {
        const statement = statements[next++];
        if (statement !== undefined) socket.write(message("Q", `${statement}\0`));
        else {
          socket.end(message("X", ""));
          resolve();
        }
      }
    };
    socket.on("error", fail);
    socket.on("close", () => reject(new Error("the server closed the connection")));
    socket.on("connect", () => socket.write(startupMessage()));
    socket.on("data", (chunk) => {
      buffered = Buffer.concat([buffered, chunk]);
      while (buffered.length >= 5) {
        const length = buffered.readUInt32BE(1) + 1;
        if (buffered.length < length) return;
        onMessage(String.fromCharCode(buffered[0] ?? 0), buffered.subarray(5, length));
        buffered = buffered.subarray(length);
      }
    });
  });
}

function message(type: string, body: string): Buffer {
  const text = Buffer.from(body);
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeUInt32BE(text.length + 4, 1);
  return Buffer.concat([head, text]);
}

function startupMessage(): Buffer {
  const parameters = Buffer.from("user\0postgres\0database\0postgres\0\0");
  const head = Buffer.alloc(8);
  head.writeUInt32BE(parameters.length + 8, 0);
  head.writeUInt32BE(196_608, 4); // protocol 3.0
  return Buffer.concat([head, parameters]);
}

function parseError(body: Buffer): { readonly state: string; readonly message: string } {
  const fields = new Map<string, string>();
  for (const field of body.toString("utf8").split("\0")) if (field !== "") fields.set(field[0] ?? "", field.slice(1));
  return { state: fields.get("C") ?? "", message: fields.get("M") ?? "unknown error" };
}
