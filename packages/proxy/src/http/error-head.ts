/** The head that stands for a request whose own could not be read. */
import { createHeaderBlock, type RequestHead } from "@argyle/codec";

export function createErrorHead(): RequestHead {
  return {
    kind: "request",
    method: "",
    target: "",
    minor: 1,
    headers: createHeaderBlock(),
    framing: "none",
    contentLength: 0,
    keepAlive: false,
    expectContinue: false,
    upgrade: undefined,
  };
}
