/** The small decoders of the network path: PROXY protocol (both versions) and the counter of gRPC messages. */
import { GrpcMessageCounter } from "@argyle/codec";
import { decodeProxyHeader, encodeProxyHeader } from "@argyle/pod-network";
import { readProxyProtocol } from "../../../packages/proxy/src/filters/proxy-protocol.ts";
import { type Cutter, same, type Target, Violation } from "../target.ts";

function checkProxyHeader(input: Buffer, cut: Cutter): void {
  const whole = decodeProxyHeader(input);
  // With fewer bytes it must ask for more, never decide otherwise than with all.
  let length = 0;
  for (const piece of cut(input)) {
    length += piece.length;
    const part = decodeProxyHeader(input, 0, length);
    if (part.kind === "need-more") {
      if (part.missing < 1) throw new Violation("need-more without a number");
      if (whole.kind === "header" && whole.length <= length) throw new Violation("asks for more than the header has");
    } else same("decides otherwise with fewer bytes", part, whole);
  }
  if (whole.kind === "header" && whole.header.command === "PROXY") {
    const again = decodeProxyHeader(encodeProxyHeader(whole.header));
    same("the header came back changed", again.kind === "header" ? again.header : again, whole.header);
  }
  readProxyProtocol(input);
}

function checkGrpc(input: Buffer, cut: Cutter): void {
  const count = (pieces: readonly Buffer[]) => {
    const counter = new GrpcMessageCounter();
    for (const piece of pieces) counter.push(piece, 0, piece.length);
    return [counter.count, counter.isValid, counter.isAtBoundary];
  };
  same("another split counts otherwise", count(cut(input)), count([input]));
}

const V2 = "\r\n\r\n\0\r\nQUIT\n";

export const BYTE_TARGETS: readonly Target[] = [
  {
    name: "proxy-protocol",
    dictionary: [
      `${V2}\x21\x11\0\x0c\x0a\xf4\0\x01\x0a\xf4\0\x02\x01\x02\0\x50`,
      `${V2}\x21\x21\0\x24${"\0".repeat(15)}\x01${"\0".repeat(15)}\x02\x01\x02\0\x50`,
      `${V2}\x20\0\0\0`,
      "\x02\0\x04shop",
      "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
      "PROXY UNKNOWN\r\n",
      "\xe0\0\x02ab",
    ],
    check: checkProxyHeader,
  },
  {
    name: "grpc",
    dictionary: ["\0\0\0\0\0", "\0\0\0\0\x05hello", "\x01\0\0\0\x02hi", "\0\xff\xff\xff\xff", "\0\0\x01"],
    check: checkGrpc,
  },
];
