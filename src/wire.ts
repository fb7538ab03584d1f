import type { DescMessage, Message } from "@bufbuild/protobuf";
import { configureTextEncoding, getTextEncoding } from "@bufbuild/protobuf/wire";
import { encodeCompiled } from "./wire-encoder.js";

/**
 * How text is read from and written to protobuf messages in this process. Unlike the default it
 * keeps a byte order mark at the start of a text, since ids are compared byte by byte, and
 * writes short texts ten times as fast. As by default, invalid UTF-8 (an encoded lone surrogate
 * for instance) is an error.
 */
export function installTextEncoding(): void {
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const lenient = new TextDecoder("utf-8", { ignoreBOM: true });
  configureTextEncoding({
    checkUtf8: getTextEncoding().checkUtf8,
    encodeUtf8: (text) => Buffer.from(text, "utf8"),
    decodeUtf8: (bytes, isStrict) => (isStrict ? strict : lenient).decode(bytes),
  });
}

/** The bytes of a message, as grpc-js takes them; a copy of the caller's own. */
export function encodeMessage(schema: DescMessage, message: Message): Buffer {
  return encodeCompiled(schema, message);
}
