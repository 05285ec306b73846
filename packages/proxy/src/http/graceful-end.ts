/** Ends our side of a client's connection, and cuts it when the client does not end its own soon, so that the last response is not lost in a reset. */
import { type TimerWheel, WheelEntry } from "../io/timer-wheel.ts";
import type { Transport } from "../io/transport.ts";

const LINGER_MS = 1000;

export function endGracefully(transport: Transport, wheel: TimerWheel, isReadEnded: boolean): void {
  const cut = new WheelEntry({ onTimer: () => transport.destroy() });
  transport.handler = {
    onBytes: () => undefined,
    onDrain: () => undefined,
    onReadEnd: () => {
      wheel.cancel(cut);
      if (transport.hasUnsentBytes) transport.endAndClose();
      else transport.destroy();
    },
    onClosed: () => wheel.cancel(cut),
  };
  transport.end();
  transport.resume();
  if (isReadEnded) transport.endAndClose();
  else wheel.arm(cut, LINGER_MS);
}
