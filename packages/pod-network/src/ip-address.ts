/** IP addresses as bytes, and CIDR ranges. Pure; the caller has checked with net.isIP what it passes in. */
import { isIPv4, isIPv6 } from "node:net";

/** The 16 bytes of an IPv6 address (RFC 4291 §2.2; an IPv4 tail is allowed, a zone is dropped). */
export function bytesOfIPv6(ip: string): Uint8Array {
  const [head = "", tail] = expandTail(ip.split("%")[0] ?? "").split("::");
  const left = groupsOf(head);
  const right = tail === undefined ? [] : groupsOf(tail);
  const zeros = Array<number>(Math.max(0, 8 - left.length - right.length)).fill(0);
  const groups = [...left, ...zeros, ...right];
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

/** IPv6 text with the longest run of zeros shortened (RFC 5952); mapped IPv4 as `::ffff:a.b.c.d`. */
export function textOfIPv6(bytes: Uint8Array): string {
  const isMapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  if (isMapped) return `::ffff:${bytes.subarray(12).join(".")}`;
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[i * 2] ?? 0) * 256 + (bytes[i * 2 + 1] ?? 0));
  const text = groups.map((group) => group.toString(16));
  const longest = longestZeroRun(groups);
  if (longest.length < 2) return text.join(":");
  return `${text.slice(0, longest.start).join(":")}::${text.slice(longest.start + longest.length).join(":")}`;
}

export type IpRange = (ip: string) => boolean;

/** A test for `10.0.0.0/8`, `fd00::/8` or a single address; undefined when the text is none of these. */
export function parseIpRange(text: string): IpRange | undefined {
  const [address = "", bitsText] = text.trim().split("/");
  const isFour = isIPv4(address);
  if (!isFour && !isIPv6(address)) return undefined;
  const width = isFour ? 32 : 128;
  const bits = bitsText === undefined ? width : /^\d{1,3}$/.test(bitsText) ? Number(bitsText) : -1;
  if (bits < 0 || bits > width) return undefined;
  const network = isFour ? Uint8Array.from(address.split("."), Number) : bytesOfIPv6(address);
  return (ip) => {
    const plain = ip.startsWith("::ffff:") && isIPv4(ip.slice(7)) ? ip.slice(7) : ip;
    if (isFour ? !isIPv4(plain) : !isIPv6(plain)) return false;
    const bytes = isFour ? Uint8Array.from(plain.split("."), Number) : bytesOfIPv6(plain);
    for (let i = 0; i * 8 < bits; i += 1) {
      const mask = bits - i * 8 >= 8 ? 0xff : (0xff << (8 - (bits - i * 8))) & 0xff;
      if (((bytes[i] ?? 0) ^ (network[i] ?? 0)) & mask) return false;
    }
    return true;
  };
}

/** True for 127.0.0.0/8, ::1 and the unspecified addresses, which a dialer treats as itself. */
export function isLoopbackAddress(ip: string): boolean {
  return /^127\.\d+\.\d+\.\d+$/.test(ip) || ip === "::1" || ip === "0.0.0.0" || ip === "::" || /^::ffff:127\./.test(ip);
}

function expandTail(ip: string): string {
  const four = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(ip);
  if (four === null) return ip;
  const high = Number(four[2]) * 256 + Number(four[3]);
  const low = Number(four[4]) * 256 + Number(four[5]);
  return `${four[1]}${high.toString(16)}:${low.toString(16)}`;
}

function groupsOf(text: string): number[] {
  return text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
}

function longestZeroRun(groups: readonly number[]): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start += 1) {
    let length = 0;
    while (groups[start + length] === 0) length += 1;
    if (length > best.length) best = { start, length };
  }
  return best;
}
