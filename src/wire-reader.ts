import { getTextEncoding } from "@bufbuild/protobuf/wire";

/**
 * Reads the plain cases of protobuf's wire format, and stops at all others: what is long, odd or
 * broken is left to protobuf-es. What was read before the first such case is not to be used.
 */
export class WireReader {
  position = 0;
  /** Whether something was met that is not read here. Nothing that is read afterwards is right. */
  hasStopped = false;
  private bytes: Buffer = NOTHING;
  private decodeUtf8 = getTextEncoding().decodeUtf8;

  /** Begins at the start of these bytes. */
  begin(bytes: Uint8Array): void {
    this.bytes = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.decodeUtf8 = getTextEncoding().decodeUtf8;
    this.position = 0;
    this.hasStopped = false;
  }

  /** Lets go of the bytes. */
  end(): void {
    this.bytes = NOTHING;
  }

  /** Stops, and answers with a number that stands for nothing. */
  stop(): number {
    this.hasStopped = true;
    return 0;
  }

  /** A whole number below 2^28, which is four bytes. Stops at others. */
  varint(): number {
    const { bytes } = this;
    let byte = bytes[this.position++];
    if (byte === undefined) return this.stop();
    if (byte < 0x80) return byte;
    let result = byte & 0x7f;
    for (let shift = 7; shift < 28; shift += 7) {
      byte = bytes[this.position++];
      if (byte === undefined) return this.stop();
      result |= (byte & 0x7f) << shift;
      if (byte < 0x80) return result;
    }
    return this.stop();
  }

  /** A whole number below 2^49, which is seven bytes. Stops at others. */
  varint64(): bigint {
    const { bytes } = this;
    let result = 0;
    let place = 1;
    for (let count = 0; count < 7; count += 1) {
      const byte = bytes[this.position++];
      if (byte === undefined) break;
      result += (byte & 0x7f) * place;
      if (byte < 0x80) return BigInt(result);
      place *= 0x80;
    }
    this.stop();
    return 0n;
  }

  /** A truth value that is written as 0 or 1. Stops at others. */
  bool(): boolean {
    const value = this.varint();
    if (value > 1) this.stop();
    return value === 1;
  }

  /** The end of what begins with its length here. Stops if that is behind `limit`. */
  delimitedEnd(limit: number): number {
    const end = this.varint() + this.position;
    return end > limit ? this.stop() : end;
  }

  /**
   * Text with its length before it.
   * @throws TypeError when it is no UTF-8
   */
  text(limit: number): string {
    const start = this.delimitedStart(limit);
    const end = this.position;
    if (end - start > SHORT_TEXT) return this.decodeUtf8(this.bytes.subarray(start, end), true);
    for (let index = start; index < end; index += 1) {
      if (this.bytes[index]! > 0x7f) {
        return this.decodeUtf8(this.bytes.subarray(start, end), true);
      }
    }
    return this.bytes.toString("latin1", start, end);
  }

  /** Moves behind what begins with its length here; answers where it begins. */
  private delimitedStart(limit: number): number {
    const end = this.delimitedEnd(limit);
    const start = this.position;
    if (this.hasStopped) return start;
    this.position = end;
    return start;
  }
}

const NOTHING = Buffer.alloc(0);
/** Up to here a look at each byte is faster than the platform's decoder. */
const SHORT_TEXT = 64;
