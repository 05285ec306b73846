/** Protobuf's wire format, read from a range of bytes. https://protobuf.dev/programming-guides/encoding/ */

/** Bytes that are not what they should be. */
export class WireError extends Error {}

export class ProtoReader {
  readonly buffer: Buffer;
  position = 0;

  constructor(bytes: Uint8Array) {
    this.buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Up to 2^53; larger ones are an error here. */
  varint(): number {
    const { buffer } = this;
    let value = 0;
    let factor = 1;
    for (let i = 0; i < 8; i++) {
      const byte = buffer[this.position++];
      if (byte === undefined) throw new WireError("ends within a number");
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) throw new WireError("a number beyond 2^53");
        return value;
      }
      factor *= 0x80;
    }
    throw new WireError("a number beyond 2^53");
  }

  /** Field number and wire type of the next field. */
  tag(): number {
    const tag = this.varint();
    if (tag < 8 || tag > 0xffff_ffff) throw new WireError(`tag ${tag}`);
    return tag;
  }

  /** The end of what starts here and has its length before it. */
  endOfLength(end: number): number {
    const length = this.varint();
    const limit = this.position + length;
    if (limit > end) throw new WireError("ends within a field");
    return limit;
  }

  bytes(end: number): Uint8Array {
    const limit = this.endOfLength(end);
    const value = this.buffer.subarray(this.position, limit);
    this.position = limit;
    return value;
  }

  text(end: number): string {
    const limit = this.endOfLength(end);
    const text = this.buffer.toString("utf8", this.position, limit);
    this.position = limit;
    // It stands for bytes that are no UTF-8; or for itself, which nobody writes.
    if (text.includes("\ufffd")) throw new WireError("text that is no UTF-8");
    return text;
  }

  double(end: number): number {
    return this.buffer.readDoubleLE(this.#take(8, end));
  }

  float(end: number): number {
    return this.buffer.readFloatLE(this.#take(4, end));
  }

  skip(wire: number, end: number): void {
    switch (wire) {
      case 0:
        while ((this.buffer[this.position++] ?? 0) >= 0x80);
        break;
      case 1:
        this.#take(8, end);
        break;
      case 2:
        this.position = this.endOfLength(end);
        break;
      case 5:
        this.#take(4, end);
        break;
      default:
        throw new WireError(`wire type ${wire}`);
    }
    if (this.position > end) throw new WireError("ends within a field");
  }

  #take(bytes: number, end: number): number {
    const at = this.position;
    this.position += bytes;
    if (this.position > end) throw new WireError("ends within a field");
    return at;
  }
}
