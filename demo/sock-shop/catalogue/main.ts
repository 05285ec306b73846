/** catalogue: the socks of the shop, read from its own PostgreSQL. Arguments as the original image: `/app -port=80`. */
import { flagValue, runService } from "@sock-shop/kit";
import { databaseUrl } from "./database-url.ts";
import { createCatalogueService } from "./service.ts";
import { createSockStore } from "./store.ts";

const argv = process.argv.slice(2);
const port = Number(flagValue(argv, "port") ?? process.env.PORT ?? 80);
const store = createSockStore(databaseUrl(process.env, argv));
runService({ name: "catalogue", port, service: createCatalogueService(store), onClose: () => store.close() });
