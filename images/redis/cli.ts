/** redis-cli's stand-in: `redis-cli [-h HOST] [-p PORT] [COMMAND ARG…]`, or commands from standard input, one a line. */
import { createConnection } from "node:net";
import { createInterface } from "node:readline";
import { createReplyReader, formatReply } from "./reply-reader.ts";
import { splitInline } from "./resp.ts";

const argv = process.argv.slice(2);
const take = (flag: string, fallback: string) => {
  const at = argv.indexOf(flag);
  return at === -1 ? fallback : (argv.splice(at, 2)[1] ?? fallback);
};
const host = take("-h", "127.0.0.1");
const port = Number(take("-p", "6379"));
const socket = createConnection({ host, port });
const waiting: ((text: string) => void)[] = [];
const reader = createReplyReader((reply) => waiting.shift()?.(formatReply(reply, process.stdout.isTTY === true)));
socket.setEncoding("latin1");
socket.on("data", (chunk) => reader.push(String(chunk)));
socket.on("error", (error) => {
  process.stderr.write(`Could not connect to Redis at ${host}:${port}: ${error.message}\n`);
  process.exit(1);
});

const ask = (args: readonly string[]) =>
  new Promise<string>((resolve) => {
    waiting.push(resolve);
    socket.write(
      `*${args.length}\r\n${args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${Buffer.from(arg).toString("latin1")}\r\n`).join("")}`,
      "latin1",
    );
  });
const print = (text: string) => process.stdout.write(Buffer.from(`${text}\n`, "latin1"));

if (argv.length > 0) {
  void ask(argv).then((text) => {
    print(text);
    process.exit(text.startsWith("(error)") ? 1 : 0);
  });
} else {
  const lines = createInterface({
    input: process.stdin,
    output: process.stdout,
    prompt: `${host}:${port}> `,
    terminal: process.stdin.isTTY === true,
  });
  lines.prompt();
  lines.on("line", (line) => {
    const words = splitInline(line);
    if (words?.[0] === "quit" || words?.[0] === "exit") process.exit(0);
    if (words === undefined || words.length === 0) {
      if (words === undefined) print("Invalid argument(s)");
      lines.prompt();
      return;
    }
    void ask(words).then((text) => {
      print(text);
      lines.prompt();
    });
  });
  // Answers that are still on their way are printed before we leave.
  lines.on("close", () => {
    const leave = () => (waiting.length === 0 ? process.exit(0) : setTimeout(leave, 5));
    leave();
  });
}
