/** front-end: the shop's pages and the API that they call. Version v1 is blue and v2 red (SHOP_VERSION, or the image's tag). */
import { hostname } from "node:os";
import { runService } from "@sock-shop/kit";
import { createFrontEnd } from "./service.ts";

const { PORT, SHOP_VERSION, CATALOGUE_URL, HOSTNAME } = process.env;
const port = Number(PORT ?? 8079);
const service = createFrontEnd({
  version: SHOP_VERSION === "v2" ? "v2" : "v1",
  pod: HOSTNAME ?? hostname(),
  catalogueUrl: CATALOGUE_URL ?? "http://catalogue",
});
runService({ name: "front-end", port, service });
