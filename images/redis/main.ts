/** redis-server's stand-in: `redis-server [--port N] [--dir PATH] [--appendonly yes]`. Data is kept where a volume is mounted at --dir (default /data). */
import { existsSync } from "node:fs";
import { createRedisServer } from "./server.ts";

const argv = process.argv.slice(2);
const option = (name: string) => {
  const at = argv.indexOf(`--${name}`);
  return at === -1 ? undefined : argv[at + 1];
};
const port = Number(option("port") ?? process.env.REDIS_PORT ?? 6379);
const dir = option("dir") ?? "/data";
// Like the original image, /data is kept when it is a volume; without one there is nothing to keep it in.
const isKept = option("appendonly") === "yes" || existsSync(dir);
const redis = createRedisServer({ port, ...(isKept ? { dir } : {}) });
redis.server.on("error", (error) => {
  process.stderr.write(`cannot listen on port ${port}: ${error.message}\n`);
  process.exit(1);
});
redis.server.listen(port, () =>
  process.stdout.write(
    `Ready to accept connections on port ${port}, ${isKept ? `data in ${dir}` : "in memory only"}\n`,
  ),
);
const stop = () => void redis.close().then(() => process.exit(0));
process.once("SIGTERM", stop);
process.once("SIGINT", stop);
