/** Appends protobuf's wire format to a buffer that grows; one message at a time. */
export class WireWriter {
  private bytes = Buffer.allocUnsafe(INITIAL_BYTES);
  private end = 0;

  /** Forgets what was written. A buffer that one large message made grow is not kept. */
  reset(): void {
    if (this.bytes.length > KEPT_BYTES) this.bytes = Buffer.allocUnsafe(INITIAL_BYTES);
    this.end = 0;
  }

  /** A copy of what was written. */
  copy(): Buffer {
    return Buffer.from(this.bytes.subarray(0, this.end));
  }

  /** An unsigned whole number below 2^32. */
  varint32(value: number): void {
    this.reserve(MAX_VARINT_BYTES);
    let rest = value >>> 0;
    while (rest > 0x7f) {
      this.bytes[this.end++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.bytes[this.end++] = rest;
  }

  /** A 64-bit whole number, negative ones in two's complement. */
  varint64(value: bigint): void {
    if (value >= 0n && value <= MAX_SAFE) this.varintSafe(Number(value));
    else this.varintLong(BigInt.asUintN(64, value));
  }

  private varintLong(value: bigint): void {
    this.reserve(MAX_VARINT_BYTES);
    let rest = value;
    while (rest > 0x7fn) {
      this.bytes[this.end++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.bytes[this.end++] = Number(rest);
  }

  /** An int32: negative ones take ten bytes, as the format wants. */
  int32(value: number): void {
    if (value >= 0) this.varint32(value);
    else this.varint64(BigInt(value));
  }

  /** Text in UTF-8, with its length before it. */
  text(value: string): void {
    if (value.length < SHORT_TEXT && this.shortAscii(value)) return;
    const length = Buffer.byteLength(value);
    this.varint32(length);
    this.reserve(length);
    this.end += this.bytes.write(value, this.end, "utf8");
  }

  /** Bytes, with their length before them. */
  blob(value: Uint8Array): void {
    this.varint32(value.length);
    this.raw(value);
  }

  /** Bytes as they are. */
  raw(value: Uint8Array): void {
    this.reserve(value.length);
    this.bytes.set(value, this.end);
    this.end += value.length;
  }

  double(value: number): void {
    this.reserve(8);
    this.end = this.bytes.writeDoubleLE(value, this.end);
  }

  float(value: number): void {
    this.reserve(4);
    this.end = this.bytes.writeFloatLE(value, this.end);
  }

  fixed32(value: number): void {
    this.reserve(4);
    this.end = this.bytes.writeInt32LE(value | 0, this.end);
  }

  fixed64(value: bigint): void {
    this.reserve(8);
    this.end = this.bytes.writeBigInt64LE(BigInt.asIntN(64, value), this.end);
  }

  /** What `write` writes, with its length before it. */
  delimited(write: () => void): void {
    // Nearly all lengths fit one byte; a longer one moves what was written.
    this.reserve(1);
    const start = ++this.end;
    write();
    const length = this.end - start;
    if (length < 0x80) {
      this.bytes[start - 1] = length;
      return;
    }
    const content = Buffer.from(this.bytes.subarray(start, this.end));
    this.end = start - 1;
    this.blob(content);
  }

  /** Takes 7 bits at a time by division, since shifts work on 32 bits only. */
  private varintSafe(value: number): void {
    this.reserve(MAX_VARINT_BYTES);
    let rest = value;
    while (rest > 0xffff_ffff) {
      this.bytes[this.end++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.varint32(rest);
  }

  /** Copying a few letters by hand is faster than a call into the platform. */
  private shortAscii(value: string): boolean {
    this.reserve(SHORT_TEXT + 1);
    const start = this.end + 1;
    for (let index = 0; index < value.length; index += 1) {
      const code = value.charCodeAt(index);
      if (code > 0x7f) return false;
      this.bytes[start + index] = code;
    }
    this.bytes[this.end] = value.length;
    this.end = start + value.length;
    return true;
  }

  private reserve(count: number): void {
    const needed = this.end + count;
    if (needed <= this.bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.bytes.length * 2));
    this.bytes.copy(grown, 0, 0, this.end);
    this.bytes = grown;
  }
}

const INITIAL_BYTES = 4_096;
const KEPT_BYTES = 1_048_576;
const MAX_VARINT_BYTES = 10;
/** Shorter texts have a length of one byte. */
const SHORT_TEXT = 64;
const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);
