/** carts: what customers and visitors have put into their baskets. The original image's JAVA_OPTS and arguments are accepted and mean nothing here. */
import { flagValue, runService } from "@sock-shop/kit";
import { createCartsService } from "./service.ts";
import { createCartStore } from "./store.ts";

const argv = process.argv.slice(2);
const store = createCartStore(process.env.DATABASE_URL ?? "postgres://carts:carts@carts-db:27017/carts");
const port = Number(flagValue(argv, "port") ?? flagValue(argv, "server.port") ?? process.env.PORT ?? 80);
runService({ name: "carts", port, service: createCartsService(store), onClose: () => store.close() });
