import type { DescFile, DescService } from "@bufbuild/protobuf";
import { Code } from "../../gen/google/rpc/code_pb.js";
import { file_google_rpc_error_details } from "../../gen/google/rpc/error_details_pb.js";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.js";
import { ServerReflection as ServerReflectionV1Alpha } from "../../gen/grpc/reflection/v1alpha/reflection_pb.js";
import { file_tally_v1_error_reason } from "../../gen/tally/v1/error_reason_pb.js";
import { toAscii } from "../ascii.js";
import { implement, type ServiceImplementation } from "./handler.js";
import { createReflectionIndex, type ReflectionIndex } from "./reflection-index.js";

/** What both versions of the protocol ask, beside the names of their packages. */
type Question =
  | { case: "listServices" | "fileByFilename" | "fileContainingSymbol"; value: string }
  | { case: "allExtensionNumbersOfType"; value: string }
  | {
      case: "fileContainingExtension";
      value: { containingType: string; extensionNumber: number };
    }
  | { case: undefined };

/** What both answer. */
type Answer =
  | { case: "listServicesResponse"; value: { service: { name: string }[] } }
  | { case: "fileDescriptorResponse"; value: { fileDescriptorProto: Uint8Array[] } }
  | {
      case: "allExtensionNumbersResponse";
      value: { baseTypeName: string; extensionNumber: number[] };
    }
  | { case: "errorResponse"; value: { errorCode: number; errorMessage: string } };

/** What the details of errors are written in: without it clients show them as bytes. */
const ERROR_FILES = [file_google_rpc_error_details, file_tally_v1_error_reason];

const MAX_ERROR_LENGTH = 300;

/**
 * Server reflection v1 and v1alpha, with which grpcurl and `buf curl` learn the contract from
 * the server. Both versions have the same messages but for their package.
 *
 * @param services - those that are described; reflection itself is described too.
 */
export function createReflection(services: readonly DescService[]): ServiceImplementation[] {
  const described = [...services, ServerReflection, ServerReflectionV1Alpha];
  const index = createReflectionIndex(described, ERROR_FILES);
  return [
    implement(ServerReflection, {
      serverReflectionInfo: (requests) => answerAll(index, requests),
    }),
    implement(ServerReflectionV1Alpha, {
      serverReflectionInfo: (requests) => answerAll(index, requests),
    }),
  ];
}

async function* answerAll<Request extends { host: string; messageRequest: Question }>(
  index: ReflectionIndex,
  requests: AsyncIterable<Request>,
) {
  for await (const request of requests) {
    yield {
      validHost: request.host,
      originalRequest: request,
      messageResponse: answer(index, request.messageRequest),
    };
  }
}

function answer(index: ReflectionIndex, question: Question): Answer {
  switch (question.case) {
    case "listServices": {
      const service = index.serviceNames.map((name) => ({ name }));
      return { case: "listServicesResponse", value: { service } };
    }
    case "fileByFilename":
      return files(index, index.fileByName(question.value), `file ${question.value}`);
    case "fileContainingSymbol":
      return files(index, index.fileBySymbol(question.value), `symbol ${question.value}`);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = question.value;
      const file = index.fileByExtension(containingType, extensionNumber);
      return files(index, file, `extension ${extensionNumber} of ${containingType}`);
    }
    case "allExtensionNumbersOfType": {
      const numbers = index.extensionNumbers(question.value);
      if (numbers === undefined) return failure(Code.NOT_FOUND, `no message ${question.value}`);
      const value = { baseTypeName: question.value, extensionNumber: [...numbers] };
      return { case: "allExtensionNumbersResponse", value };
    }
    case undefined:
      return failure(Code.INVALID_ARGUMENT, "message_request: is required");
  }
}

function files(index: ReflectionIndex, file: DescFile | undefined, what: string): Answer {
  if (file === undefined) return failure(Code.NOT_FOUND, `no ${what}`);
  const fileDescriptorProto = [...index.withImports(file)];
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
}

function failure(errorCode: Code, text: string): Answer {
  const errorMessage = toAscii(text, MAX_ERROR_LENGTH);
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}
