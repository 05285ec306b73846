/** orders: takes orders, asks payment and shipping, keeps what was bought. */
import { flagValue, runService } from "@sock-shop/kit";
import { createCheckout } from "./checkout.ts";
import { createOrdersService } from "./service.ts";
import { createOrderStore } from "./store.ts";

const argv = process.argv.slice(2);
const { DATABASE_URL, PAYMENT_URL, PORT, SHIPPING_URL } = process.env;
const store = createOrderStore(DATABASE_URL ?? "postgres://orders:orders@orders-db:27017/orders");
const checkout = createCheckout(store.steps, {
  paymentUrl: PAYMENT_URL ?? "http://payment/paymentAuth",
  shippingUrl: SHIPPING_URL ?? "http://shipping/shipping",
});
const service = createOrdersService(store, checkout);
const port = Number(flagValue(argv, "port") ?? flagValue(argv, "server.port") ?? PORT ?? 80);
runService({ name: "orders", port, service, onClose: () => checkout.close().then(() => store.close()) });
