/** user: accounts, addresses and cards. Arguments as the original image: `/user -port=80`; the store from DATABASE_URL or the original's `mongo` variable. */
import { flagValue, runService } from "@sock-shop/kit";
import { createUserService } from "./service.ts";
import { createUserStore } from "./store.ts";

const argv = process.argv.slice(2);
const { DATABASE_URL, MONGO_HOST, mongo, PORT } = process.env;
const host = flagValue(argv, "mongo-host") ?? MONGO_HOST ?? mongo ?? "user-db:27017";
const store = createUserStore(DATABASE_URL ?? `postgres://user:user@${host}/users`);
const service = createUserService(store, { domain: process.env.HATEAOS ?? "user" });
runService({
  name: "user",
  port: Number(flagValue(argv, "port") ?? PORT ?? 80),
  service,
  onClose: () => store.close(),
});
