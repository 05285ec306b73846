/** payment: authorises amounts up to a limit. Arguments as the original image: `/app -port=80 -decline=105`. */
import { flagValue, runService } from "@sock-shop/kit";
import { createPaymentService } from "./service.ts";

const DEFAULT_DECLINE_OVER = 105;

const argv = process.argv.slice(2);
const port = Number(flagValue(argv, "port") ?? process.env.PORT ?? 80);
const declineOver = Number(flagValue(argv, "decline") ?? process.env.DECLINE_OVER ?? DEFAULT_DECLINE_OVER);
runService({ name: "payment", port, service: createPaymentService({ declineOver }) });
