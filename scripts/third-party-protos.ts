/**
 * Writes the contracts that Tally's own import, taken from the npm packages that carry them, to
 * `third_party/proto` (git-ignored), so that buf needs no network.
 */
import { copyFile, mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { file_buf_validate_validate } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { printProto } from "./print-proto.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const target = join(root, "third_party/proto");

/** Path in the target folder -> file in node_modules. */
const copies: Record<string, string> = {
  "google/rpc/status.proto": "google-gax/build/protos/google/rpc/status.proto",
  "google/rpc/error_details.proto": "google-gax/build/protos/google/rpc/error_details.proto",
  "google/rpc/code.proto": "google-gax/build/protos/google/rpc/code.proto",
  "grpc/health/v1/health.proto": "grpc-health-check/proto/health/v1/health.proto",
  "grpc/reflection/v1/reflection.proto":
    "@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto",
  "grpc/reflection/v1alpha/reflection.proto":
    "@grpc/reflection/build/proto/grpc/reflection/v1alpha/reflection.proto",
};

await rm(target, { recursive: true, force: true });
for (const [path, source] of Object.entries(copies)) {
  await mkdir(dirname(join(target, path)), { recursive: true });
  await copyFile(join(root, "node_modules", source), join(target, path));
}
const validate = join(target, "buf/validate/validate.proto");
await mkdir(dirname(validate), { recursive: true });
await writeFile(validate, printProto(file_buf_validate_validate));
