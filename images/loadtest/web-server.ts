/** The live page, its numbers as JSON, the summary as text, and the number of customers to change. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { Statistics } from "./statistics.ts";
import { formatSummary } from "./summary.ts";
import type { Swarm } from "./swarm.ts";
import html from "./web/index.html" with { type: "text" };
import css from "./web/live.css" with { type: "text" };
import script from "./web/live.js" with { type: "text" };

const MAX_BODY = 1000;
const FILES: Readonly<Record<string, readonly [type: string, text: string]>> = {
  "/": ["text/html; charset=utf-8", html],
  "/live.js": ["text/javascript; charset=utf-8", script],
  "/live.css": ["text/css; charset=utf-8", css],
};

export function createWebServer(host: string, statistics: Statistics, swarm: Swarm): Server {
  return createServer((incoming, outgoing) => {
    const send = (status: number, type: string, body: string) =>
      outgoing.writeHead(status, { "content-type": type, "cache-control": "no-store" }).end(body);
    const path = (incoming.url ?? "/").split("?")[0] ?? "/";
    const file = FILES[path];
    if (incoming.method === "POST" && path === "/users") {
      readUsers(incoming).then(
        ({ users, spawnRate }) => {
          swarm.resize(users, spawnRate);
          send(200, "application/json", JSON.stringify({ users, spawnRate }));
        },
        (error: Error) => send(400, "application/json", JSON.stringify({ error: error.message })),
      );
    } else if (incoming.method !== "GET" && incoming.method !== "HEAD") send(405, "text/plain", "method not allowed\n");
    else if (file !== undefined) send(200, file[0], file[1]);
    else if (path === "/stats.json")
      send(200, "application/json", JSON.stringify({ host, users: swarm.users(), ...statistics.report() }));
    else if (path === "/summary.txt")
      send(200, "text/plain; charset=utf-8", formatSummary(statistics.report(), swarm.users()));
    else if (path === "/health") send(200, "text/plain", "OK\n");
    else send(404, "text/plain", "not found\n");
  });
}

/** JSON only: a form of another site can't send it. */
async function readUsers(incoming: IncomingMessage): Promise<{ readonly users: number; readonly spawnRate: number }> {
  if (!(incoming.headers["content-type"] ?? "").startsWith("application/json"))
    throw new Error("send application/json");
  let text = "";
  for await (const chunk of incoming) {
    text += String(chunk);
    if (text.length > MAX_BODY) throw new Error("the body is too large");
  }
  const { users, spawnRate = 1 } = Object(JSON.parse(text)) as { users?: unknown; spawnRate?: unknown };
  if (typeof users !== "number" || !Number.isSafeInteger(users) || users < 0 || users > 10_000)
    throw new Error("users must be a whole number from 0 to 10000");
  if (typeof spawnRate !== "number" || !(spawnRate > 0)) throw new Error("spawnRate must be a number above 0");
  return { users, spawnRate };
}
