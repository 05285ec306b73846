/**
 * SPDY/3 header blocks: name-value pairs, zlib with the protocol's fixed dictionary and one context per direction for the whole connection, so blocks must
 * be decoded strictly in order. Source: SPDY protocol draft 3, section 2.6.10.
 */
import { constants, createDeflate, createInflate } from "node:zlib";

export type SpdyHeaders = Readonly<Record<string, string>>;

export interface HeaderCodec {
  decode(block: Buffer): Promise<SpdyHeaders>;
  encode(headers: SpdyHeaders): Promise<Buffer>;
  close(): void;
}

const WORDS = [
  ..."options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow".split(
    " ",
  ),
  ..."authorization cache-control connection content-base content-encoding content-language content-length".split(" "),
  ..."content-location content-md5 content-range content-type date etag expect expires from host if-match".split(" "),
  ..."if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma".split(
    " ",
  ),
  ..."proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding".split(" "),
  ..."upgrade user-agent vary via warning www-authenticate method get status".split(" "),
  "200 OK",
  ..."version HTTP/1.1 url public set-cookie keep-alive origin".split(" "),
];
const TAIL =
  "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505" +
  "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden" +
  "404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable" +
  "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT" +
  "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript," +
  "publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

/** 1423 bytes: each word with its length in front, then plain text. */
export const SPDY_DICTIONARY: Buffer = Buffer.concat([
  ...WORDS.flatMap((word) => [uint32(word.length), Buffer.from(word)]),
  Buffer.from(TAIL),
]);

export function createHeaderCodec(): HeaderCodec {
  const inflate = createInflate({ dictionary: SPDY_DICTIONARY });
  const deflate = createDeflate({ dictionary: SPDY_DICTIONARY });
  return {
    decode: async (block) => parseBlock(await transform(inflate, block)),
    encode: (headers) => transform(deflate, formatBlock(headers)),
    close() {
      inflate.destroy();
      deflate.destroy();
    },
  };
}

type ZlibStream = ReturnType<typeof createInflate> | ReturnType<typeof createDeflate>;

function transform(stream: ZlibStream, input: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    stream.once("error", reject);
    stream.write(input);
    stream.flush(constants.Z_SYNC_FLUSH, () => {
      stream.removeListener("error", reject);
      const chunks: Buffer[] = [];
      for (let chunk = stream.read(); chunk !== null; chunk = stream.read()) chunks.push(chunk as Buffer);
      resolve(Buffer.concat(chunks));
    });
  });
}

function parseBlock(block: Buffer): SpdyHeaders {
  const headers: Record<string, string> = {};
  let at = 0;
  const text = () => {
    const length = block.readUInt32BE(at);
    at += 4 + length;
    if (at > block.length) throw new Error("a SPDY header block is cut off");
    return block.toString("latin1", at - length, at);
  };
  const count = block.readUInt32BE(at);
  at += 4;
  for (let i = 0; i < count; i++) {
    const name = text();
    headers[name.toLowerCase()] = text();
  }
  return headers;
}

function formatBlock(headers: SpdyHeaders): Buffer {
  const entries = Object.entries(headers);
  const parts = [uint32(entries.length)];
  for (const part of entries.flat()) parts.push(uint32(part.length), Buffer.from(part, "latin1"));
  return Buffer.concat(parts);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
