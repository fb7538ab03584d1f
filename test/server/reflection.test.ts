import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { create, createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import { expect } from "chai";
import { Code } from "../../gen/google/rpc/code_pb.js";
import {
  ExtensionRequestSchema,
  ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
} from "../../gen/grpc/reflection/v1/reflection_pb.js";
import { ServerReflection as ServerReflectionV1Alpha } from "../../gen/grpc/reflection/v1alpha/reflection_pb.js";
import { QuotaChecker } from "../../gen/tally/v1/quota_checker_pb.js";
import type { GrpcClient } from "../../src/client/grpc-client.js";
import { failureOf, startQuotaServer, type TestServer } from "./test-server.js";

type Question = ServerReflectionRequest["messageRequest"];

const SERVICES = [
  "grpc.health.v1.Health",
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
  "tally.v1.QuotaChecker",
];

describe("server reflection", () => {
  let server: TestServer;
  let client: GrpcClient<typeof ServerReflection>;

  before(async () => {
    server = await startQuotaServer({ checkQuota: ({ userId }) => ({ message: userId }) });
    client = server.client(ServerReflection);
  });
  after(() => server.stop());

  async function ask(question: Question): Promise<ServerReflectionResponse["messageResponse"]> {
    const requests = (async function* () {
      yield { host: "tally.example", messageRequest: question };
    })();
    for await (const answer of client.serverReflectionInfo(requests)) {
      expect(answer.validHost).to.equal("tally.example");
      expect(answer.originalRequest?.messageRequest).to.deep.equal(question);
      return answer.messageResponse;
    }
    throw new Error("no answer");
  }

  /** Names of the files of an answer, the one that was asked for first. */
  async function filesOf(question: Question): Promise<string[]> {
    const answer = await ask(question);
    if (answer.case !== "fileDescriptorResponse") throw new Error(`a ${answer.case}`);
    return answer.value.fileDescriptorProto.map(
      (bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name,
    );
  }

  it("lists all services", async () => {
    const answer = await ask({ case: "listServices", value: "" });
    expect(answer.case).to.equal("listServicesResponse");
    const { service } = answer.value as { service: { name: string }[] };
    expect(service.map(({ name }) => name)).to.deep.equal(SERVICES);
  });

  const symbols: [string, string][] = [
    ["tally.v1.QuotaChecker", "tally/v1/quota_checker.proto"],
    ["tally.v1.QuotaChecker.CheckQuota", "tally/v1/quota_checker.proto"],
    ["tally.v1.CheckQuotaRequest", "tally/v1/quota_checker.proto"],
    ["tally.v1.CheckQuotaRequest.user_id", "tally/v1/quota_checker.proto"],
    ["tally.v1.CheckQuotaRequest.expectation", "tally/v1/quota_checker.proto"],
    ["tally.v1.QuotaReason", "tally/v1/quota_checker.proto"],
    ["tally.v1.QUOTA_REASON_OK", "tally/v1/quota_checker.proto"],
    ["tally.v1.BudgetScope", "tally/v1/usage.proto"],
    ["google.protobuf.Timestamp", "google/protobuf/timestamp.proto"],
    ["buf.validate.field", "buf/validate/validate.proto"],
    ["grpc.health.v1.HealthCheckResponse.ServingStatus", "grpc/health/v1/health.proto"],
    ["grpc.health.v1.HealthCheckResponse.SERVING", "grpc/health/v1/health.proto"],
    ["google.rpc.BadRequest.FieldViolation", "google/rpc/error_details.proto"],
    ["tally.v1.ErrorReason", "tally/v1/error_reason.proto"],
  ];
  for (const [symbol, file] of symbols) {
    it(`finds the file of ${symbol}`, async () => {
      const [first] = await filesOf({ case: "fileContainingSymbol", value: symbol });
      expect(first).to.equal(file);
    });
  }

  it("sends a file with all that it imports, so that it can be linked", async () => {
    const answer = await ask({ case: "fileByFilename", value: "tally/v1/quota_checker.proto" });
    if (answer.case !== "fileDescriptorResponse") throw new Error(`a ${answer.case}`);
    const protos = answer.value.fileDescriptorProto.map((bytes) =>
      fromBinary(FileDescriptorProtoSchema, bytes),
    );
    expect(protos[0]?.name).to.equal("tally/v1/quota_checker.proto");
    const registry = createFileRegistry(
      create(FileDescriptorSetSchema, { file: importsFirst(protos) }),
    );
    const methods = registry.getService("tally.v1.QuotaChecker")?.methods.map(({ name }) => name);
    expect(methods).to.deep.equal(QuotaChecker.methods.map(({ name }) => name));
  });

  it("finds extensions, and their numbers", async () => {
    const question = extensionOfFieldOptions(1159);
    expect((await filesOf(question))[0]).to.equal("buf/validate/validate.proto");
    const numbers = async (value: string) =>
      (await ask({ case: "allExtensionNumbersOfType", value })).value;
    expect(await numbers("google.protobuf.FieldOptions")).to.deep.include({
      baseTypeName: "google.protobuf.FieldOptions",
      extensionNumber: [1159, 1160, 50_552],
    });
    expect(await numbers("tally.v1.CheckQuotaRequest")).to.deep.include({ extensionNumber: [] });
  });

  const unknown: [string, Question, Code, string][] = [
    ["files", { case: "fileByFilename", value: "n.proto" }, Code.NOT_FOUND, "no file n.proto"],
    [
      "symbols",
      { case: "fileContainingSymbol", value: "n\u00e9.N" },
      Code.NOT_FOUND,
      "no symbol n\\u00e9.N",
    ],
    [
      "extensions",
      extensionOfFieldOptions(1),
      Code.NOT_FOUND,
      "no extension 1 of google.protobuf.FieldOptions",
    ],
    [
      "messages",
      { case: "allExtensionNumbersOfType", value: "n.N" },
      Code.NOT_FOUND,
      "no message n.N",
    ],
    ["questions", { case: undefined }, Code.INVALID_ARGUMENT, "message_request: is required"],
  ];
  for (const [what, question, errorCode, errorMessage] of unknown) {
    it(`answers unknown ${what} with an error, and goes on`, async () => {
      const requests = (async function* () {
        yield { messageRequest: question };
        yield { messageRequest: { case: "listServices" as const, value: "" } };
      })();
      const answers = [];
      for await (const { messageResponse } of client.serverReflectionInfo(requests)) {
        answers.push(messageResponse);
      }
      expect(answers.map((answer) => answer.case)).to.deep.equal([
        "errorResponse",
        "listServicesResponse",
      ]);
      expect(answers[0]?.value).to.include({ errorCode, errorMessage });
    });
  }

  it("speaks v1alpha too", async () => {
    const requests = (async function* () {
      yield { messageRequest: { case: "fileContainingSymbol" as const, value: "tally.v1.User" } };
      yield {
        messageRequest: { case: "fileContainingSymbol" as const, value: "tally.v1.QuotaChecker" },
      };
    })();
    const answers = [];
    const alpha = server.client(ServerReflectionV1Alpha);
    for await (const { messageResponse } of alpha.serverReflectionInfo(requests)) {
      answers.push(messageResponse.case);
    }
    expect(answers).to.deep.equal(["errorResponse", "fileDescriptorResponse"]);
  });

  it("is all that buf curl needs to make a call", async () => {
    const { stdout } = await promisify(execFile)("npx", [
      "buf",
      "curl",
      ...["--protocol", "grpc", "--http2-prior-knowledge"],
      ...["--data", '{"userId": "from buf"}'],
      `http://${server.address}/tally.v1.QuotaChecker/CheckQuota`,
    ]);
    expect(JSON.parse(stdout)).to.deep.equal({ message: "from buf" });
  });

  it("can be left out", async () => {
    const silent = await startQuotaServer({}, { reflection: false });
    try {
      const error = await failureOf(
        (async () => {
          const questions = silent.client(ServerReflection).serverReflectionInfo(endless());
          for await (const _ of questions) throw new Error("answered");
        })(),
      );
      expect(error.code).to.equal(Code.UNIMPLEMENTED);
      expect(error.reason).to.equal("UNIMPLEMENTED");
    } finally {
      await silent.stop();
    }
  });
});

/** Requests of a caller that never ends its side. */
async function* endless(): AsyncGenerator<{ messageRequest: Question }> {
  yield { messageRequest: { case: "listServices", value: "" } };
  await new Promise(() => {});
}

function extensionOfFieldOptions(extensionNumber: number): Question {
  const containingType = "google.protobuf.FieldOptions";
  const value = create(ExtensionRequestSchema, { containingType, extensionNumber });
  return { case: "fileContainingExtension", value };
}

/** The order that a registry wants. @throws when a file imports what is not there */
function importsFirst(files: readonly FileDescriptorProto[]): FileDescriptorProto[] {
  const placed = new Map<string, FileDescriptorProto>();
  for (let left = [...files]; left.length > 0; ) {
    const next = left.find(({ dependency }) => dependency.every((name) => placed.has(name)));
    if (next === undefined) throw new Error(`imports are missing: ${left.map((f) => f.name)}`);
    placed.set(next.name, next);
    left = left.filter((file) => file !== next);
  }
  return [...placed.values()];
}
