/** Sessions in Redis under `sess:<id>`, as JSON with a time to live, so that every replica and both versions of the front-end share them. */
import { createRedisClient } from "./redis-client.ts";
import type { Session, SessionStore } from "./store.ts";

/** `redis://[:password@]host[:port]` */
export function createRedisSessions(url: string): SessionStore {
  const { hostname, port, password } = new URL(url);
  const redis = createRedisClient({
    host: hostname,
    port: port === "" ? 6379 : Number(port),
    ...(password === "" ? {} : { password: decodeURIComponent(password) }),
  });
  return {
    async find(id) {
      const text = await redis.command("GET", `sess:${id}`);
      return typeof text === "string" ? parseSession(text) : undefined;
    },
    async save(id, session, ttlSeconds) {
      await redis.command("SET", `sess:${id}`, JSON.stringify(session), "EX", String(ttlSeconds));
    },
    async remove(id) {
      await redis.command("DEL", `sess:${id}`);
    },
    async close() {
      redis.close();
    },
  };
}

/** What somebody else wrote under our key is no session. */
function parseSession(text: string): Session | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Session) : undefined;
}
