import { createHmac, timingSafeEqual } from "node:crypto";
import type { Hold, Reservation } from "./reservation.js";

/** A reservation id that this installation did not make, or that was altered. */
export class InvalidReservationIdError extends Error {
  override readonly name = "InvalidReservationIdError";
}

/** Writes and reads reservation ids. */
export interface ReservationIdCodec {
  /** Text of A-Z, a-z, 0-9, - and _. */
  encode(reservation: Reservation): string;
  /** @throws InvalidReservationIdError */
  decode(id: string): Reservation;
}

const FORMAT = 1;
const SIGNATURE_BYTES = 16;
const FIXED_BYTES = 1 + 16 + 8 + 2;
const HOLD_BYTES = 8 + 8 + 8 + 2;

/**
 * An id carries all that settling needs (leases, budgets, amounts, expiry) under a truncated
 * HMAC-SHA-256, so that any replica settles a reservation without a lookup and nobody makes one
 * up. 128 bits of signature: guessing one is out of reach, and ids stay short.
 *
 * Layout, big-endian: format 1 byte, uid 16, expiry 8 (ms), number of holds 2, then for each hold:
 * lease id 8, held 8, period start 8 (ms, signed), length of the budget id 2, budget id in UTF-8;
 * then the signature.
 */
export function createReservationIdCodec(key: Buffer): ReservationIdCodec {
  const sign = (content: Buffer) =>
    createHmac("sha256", key).update(content).digest().subarray(0, SIGNATURE_BYTES);
  return {
    encode(reservation) {
      const content = write(reservation);
      return Buffer.concat([content, sign(content)]).toString("base64url");
    },
    decode(id) {
      const bytes = Buffer.from(id, "base64url");
      const content = bytes.subarray(0, -SIGNATURE_BYTES);
      const signature = bytes.subarray(-SIGNATURE_BYTES);
      const isOurs =
        bytes.length >= FIXED_BYTES + SIGNATURE_BYTES &&
        // The decoder skips what it does not know: one reservation has one id.
        bytes.toString("base64url") === id &&
        timingSafeEqual(signature, sign(content)) &&
        content[0] === FORMAT;
      if (!isOurs) throw new InvalidReservationIdError("not made here, or altered");
      return read(content);
    },
  };
}

function write({ uid, expireTimeMs, holds }: Reservation): Buffer {
  const budgetIds = holds.map(({ budgetId }) => Buffer.from(budgetId, "utf8"));
  const idBytes = budgetIds.reduce((sum, { length }) => sum + length, 0);
  const bytes = Buffer.alloc(FIXED_BYTES + holds.length * HOLD_BYTES + idBytes);
  bytes[0] = FORMAT;
  bytes.write(uid.replaceAll("-", ""), 1, "hex");
  bytes.writeBigInt64BE(BigInt(expireTimeMs), 17);
  bytes.writeUInt16BE(holds.length, 25);
  let at = FIXED_BYTES;
  holds.forEach((hold, index) => {
    const budgetId = budgetIds[index]!;
    bytes.writeBigInt64BE(hold.leaseId, at);
    bytes.writeBigInt64BE(hold.held, at + 8);
    bytes.writeBigInt64BE(BigInt(hold.periodStartMs), at + 16);
    bytes.writeUInt16BE(budgetId.length, at + 24);
    at += HOLD_BYTES;
    at += budgetId.copy(bytes, at);
  });
  return bytes;
}

function read(bytes: Buffer): Reservation {
  const holds: Hold[] = [];
  const count = bytes.readUInt16BE(25);
  let at = FIXED_BYTES;
  for (let index = 0; index < count; index++) {
    const length = bytes.readUInt16BE(at + 24);
    holds.push({
      leaseId: bytes.readBigInt64BE(at),
      held: bytes.readBigInt64BE(at + 8),
      periodStartMs: Number(bytes.readBigInt64BE(at + 16)),
      budgetId: bytes.toString("utf8", at + HOLD_BYTES, at + HOLD_BYTES + length),
    });
    at += HOLD_BYTES + length;
  }
  return { uid: formatUuid(bytes), expireTimeMs: Number(bytes.readBigInt64BE(17)), holds };
}

function formatUuid(bytes: Buffer): string {
  const hex = bytes.toString("hex", 1, 17);
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)];
  return [...parts, hex.slice(20)].join("-");
}
