/** Forms of the request target, versions and path normalisation. */
import { type Case, get, group } from "../case.ts";

const targets: readonly (readonly [target: string, host: string])[] = [
  ["http://shop/exact", "other"],
  ["http://shop/exact", "shop"],
  ["http://SHOP/exact", "x"],
  ["HTTP://shop/exact", "x"],
  ["hTtP://shop/exact", "x"],
  ["https://shop/exact", "x"],
  ["ftp://shop/exact", "x"],
  ["http://shop", "x"],
  ["http://shop?q=1", "x"],
  ["http://shop/", "x"],
  ["http://shop:81/exact", "x"],
  ["http://user@shop/exact", "x"],
  ["http://user:pw@shop/exact", "x"],
  ["http:///exact", "shop"],
  ["http:/exact", "shop"],
  ["http:exact", "shop"],
  ["http://", "shop"],
  ["//shop/exact", "x"],
  ["http://shop/exact#f", "x"],
  ["http://[::1]/exact", "x"],
  ["http://[::1]:80/exact", "x"],
  ["http://sh%6fp/exact", "x"],
  ["exact", "shop"],
  ["shop:80", "shop"],
  ["?q", "shop"],
  ["#", "shop"],
  ["", "shop"],
  ["/a b", "shop"],
  ["/a\tb", "shop"],
  ["/a\x01b", "shop"],
  ["/a\x7fb", "shop"],
  ["/a\x80b", "shop"],
  ["/a\xffb", "shop"],
  ["/a\x00b", "shop"],
  [`/${"x".repeat(2000)}`, "shop"],
  [`/?${"x".repeat(2000)}`, "shop"],
  ["http://shop/exact?a=http://b/c", "x"],
  ["http://shop//exact", "x"],
  ["ws://shop/exact", "x"],
];

const lines: readonly (readonly [name: string, line: string])[] = [
  ["HTTP/1.0", "GET / HTTP/1.0"],
  ["HTTP/1.2", "GET / HTTP/1.2"],
  ["HTTP/2.0", "GET / HTTP/2.0"],
  ["HTTP/0.9", "GET / HTTP/0.9"],
  ["HTTP/11.1", "GET / HTTP/11.1"],
  ["HTTP/1.10", "GET / HTTP/1.10"],
  ["HTTP/01.1", "GET / HTTP/01.1"],
  ["http/1.1", "GET / http/1.1"],
  ["HTTP/1,1", "GET / HTTP/1,1"],
  ["HTTP/1.", "GET / HTTP/1."],
  ["HTTP 1.1", "GET / HTTP 1.1"],
  ["HTTPS/1.1", "GET / HTTPS/1.1"],
  ["XHTTP/1.1", "GET / XHTTP/1.1"],
  ["no version", "GET /"],
  ["two blanks before the target", "GET  / HTTP/1.1"],
  ["two blanks before the version", "GET /  HTTP/1.1"],
  ["blank after the version", "GET / HTTP/1.1 "],
  ["tab after the method", "GET\t/ HTTP/1.1"],
  ["leading blank", " GET / HTTP/1.1"],
  ["leading tab", "\tGET / HTTP/1.1"],
  ["leading empty line", "\r\nGET / HTTP/1.1"],
  ["leading empty lines", "\r\n\r\n\r\nGET / HTTP/1.1"],
  ["leading bare LF", "\nGET / HTTP/1.1"],
  ["leading bare CR", "\rGET / HTTP/1.1"],
  ["leading NUL", "\0GET / HTTP/1.1"],
  ["junk", "\x16\x03\x01\x02\x00\x01\x00"],
  ["HTTP/2 preface", "PRI * HTTP/2.0"],
  ["SMTP", "EHLO example.com"],
];

const normalising = ["normal", "merged", "forward", "redirect", "reject"] as const;
const spelled: readonly string[] = [
  ...["//exact", "/./exact", "/a/../exact", "/a/b/../../exact", "/../exact", "/exact/.", "/exact/..", "/%2e/exact", "/a/%2E%2e/exact"],
  ...["/%65xact", "/%45xact", "/a%2Fexact", "/%2fexact", "/a%5cexact", "/a\\exact", "/a\\..\\exact", "/exact%3F", "/exact%23", "/exact%00"],
  ...["/%", "/%zz", "/a%2", "/%%32", "/exact%2525", "/a//b///c", "/a/..//exact", "/a%2f..%2fexact", "/exact?//a/../b", "/exact?x=%2f"],
  ...["/exact;a=..", "/..;/exact", "/...", "/.exact", "/exact/...", "/%7Ex", "/%2d%5f", "/ex%2561ct"],
];

export const TARGET_CASES: readonly Case[] = [
  ...group(
    "target",
    targets.map(([target, host]) => ({
      name: `${JSON.stringify(target.slice(0, 40))} for ${host}`,
      send: [`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`],
    })),
  ),
  ...group(
    "request line",
    lines.map(([name, line]) => ({ name, send: [`${line}\r\nHost: shop\r\n\r\n`] })),
  ),
  ...normalising.flatMap((listener) =>
    group(
      listener,
      spelled.map((path) => ({ name: path, listener, send: [get(path)] })),
    ),
  ),
];
