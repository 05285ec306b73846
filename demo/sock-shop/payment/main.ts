/** payment: authorises amounts up to a limit. Arguments as the original image: `/app -port=80 -decline=105`; PAYMENT_LEDGER names the file that is kept. */
import { flagValue, runService } from "@sock-shop/kit";
import { openLedger } from "./ledger.ts";
import { createPaymentService } from "./service.ts";

const DEFAULT_DECLINE_OVER = 105;

const argv = process.argv.slice(2);
const port = Number(flagValue(argv, "port") ?? process.env.PORT ?? 80);
const declineOver = Number(flagValue(argv, "decline") ?? process.env.DECLINE_OVER ?? DEFAULT_DECLINE_OVER);
const ledger = openLedger(process.env.PAYMENT_LEDGER);
const service = createPaymentService({ declineOver, ledger });
runService({ name: "payment", port, service, onClose: async () => ledger.close() });
