/** Bytes [start, end) as a string, one char a byte: what HTTP/1 heads are made of. */
export function latin1(buffer: Buffer, start: number, end: number): string {
  return buffer.toString("latin1", start, end);
}
