/**
 * Bytes [start, end) as a string, one char a byte: what HTTP/1 heads are made of.
 * hot: three a request; toString() spends more time on finding its encoding than on the work. latin1Slice is what it calls in every Node that
 * we know, but is not documented, so toString() stays as the way for one that has no such method.
 */
type Slice = (this: Buffer, start: number, end: number) => string;
const nativeSlice = (Buffer.prototype as { readonly latin1Slice?: Slice }).latin1Slice;

export const latin1: (buffer: Buffer, start: number, end: number) => string =
  nativeSlice === undefined
    ? (buffer, start, end) => buffer.toString("latin1", start, end)
    : (buffer, start, end) => nativeSlice.call(buffer, start, end);
