import { expect } from "chai";
import { Code } from "../../gen/google/rpc/code_pb.js";
import { HealthCheckResponse_ServingStatus as ServingStatus } from "../../gen/grpc/health/v1/health_pb.js";
import { QuotaChecker } from "../../gen/tally/v1/quota_checker_pb.js";
import { UsageRecorder } from "../../gen/tally/v1/usage_recorder_pb.js";
import { implement } from "../../src/server/handler.js";
import { failureOf, startTestServer, type TestServer } from "./test-server.js";

const { SERVING, NOT_SERVING, SERVICE_UNKNOWN } = ServingStatus;
const QUOTA = QuotaChecker.typeName;

describe("grpc.health.v1", () => {
  let server: TestServer;

  beforeEach(async () => {
    server = await startTestServer({
      services: [implement(QuotaChecker, {}), implement(UsageRecorder, {})],
    });
  });
  afterEach(() => server.stop());

  const check = async (service: string) => (await server.healthClient.check({ service })).status;

  it("reports NOT_SERVING until it is told otherwise", async () => {
    expect(await check("")).to.equal(NOT_SERVING);
    expect(await check(QUOTA)).to.equal(NOT_SERVING);
    server.health.setServing(true);
    expect(await check("")).to.equal(SERVING);
    expect(await check(QUOTA)).to.equal(SERVING);
  });

  it("tells one service from another", async () => {
    server.health.setServing(true);
    server.health.setServing(false, QuotaChecker);
    const { statuses } = await server.healthClient.list({});
    expect(Object.entries(statuses).map(([name, { status }]) => [name, status])).to.deep.equal([
      ["", SERVING],
      [QUOTA, NOT_SERVING],
      [UsageRecorder.typeName, SERVING],
    ]);
    expect(server.health.isServing(QuotaChecker)).to.equal(false);
    expect(server.health.isServing(UsageRecorder)).to.equal(true);
  });

  it("does not know other services", async () => {
    const error = await failureOf(server.healthClient.check({ service: "tally.v1.Nothing" }));
    expect(error.code).to.equal(Code.NOT_FOUND);
    expect(error.reason).to.equal("SUBJECT_NOT_FOUND");
  });

  it("tells watchers the state of now and every change, each once", async () => {
    const changes = [
      () => server.health.setServing(true),
      () => {
        server.health.setServing(true);
        server.health.setServing(false, UsageRecorder);
        server.health.setServing(false, QuotaChecker);
      },
      () => server.health.setServing(true, QuotaChecker),
    ];
    const seen: ServingStatus[] = [];
    for await (const { status } of server.healthClient.watch({ service: QUOTA })) {
      seen.push(status);
      const change = changes.shift();
      if (change === undefined) break;
      change();
    }
    expect(seen).to.deep.equal([NOT_SERVING, SERVING, NOT_SERVING, SERVING]);
  });

  it("lets a watcher wait for a service that is not there", async () => {
    const statuses = server.healthClient.watch({ service: "tally.v1.Nothing" });
    const watcher = statuses[Symbol.asyncIterator]();
    expect((await watcher.next()).value?.status).to.equal(SERVICE_UNKNOWN);
    await watcher.return?.();
  });

  it("stays NOT_SERVING once it is shut down", async () => {
    server.health.setServing(true);
    server.health.shutDown();
    server.health.setServing(true);
    expect(await check("")).to.equal(NOT_SERVING);
    expect(await check(QUOTA)).to.equal(NOT_SERVING);
  });
});
