import { toJsonString } from "@bufbuild/protobuf";
import { expect } from "chai";
import { Code } from "../../gen/google/rpc/code_pb.js";
import { GetSettingsResponseSchema, RequestLogLevel } from "../../gen/tally/v1/catalog_pb.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { rpcFailure } from "../support/rpc-failure.js";

describe("Settings", () => {
  let app: TestApp;

  beforeEach(async () => {
    app = await startTestApp();
  });
  afterEach(() => app.stop());

  it("are shown as they apply, without the key of reservations", async () => {
    const answer = await app.clients.catalog.getSettings({});
    expect(answer.settings).to.deep.include({
      requestLogLevel: RequestLogLevel.BASIC,
      maxRequestBodySize: 1_048_576,
      sensitiveHeaders: [],
      recordRetentionDays: 365,
    });
    const { rows } = await app.database.knex.raw(
      "select value #>> '{}' as secret from settings where key = 'reservation_key'",
    );
    expect(toJsonString(GetSettingsResponseSchema, answer)).to.not.contain(rows[0].secret);
  });

  it("change where they are given, and get their defaults where a mask names them without", async () => {
    const { catalog } = app.clients;
    await catalog.updateSettings({
      settings: {
        requestLogLevel: RequestLogLevel.FULL,
        sensitiveHeaders: ["X-Team"],
        maxRequestBodySize: 0,
      },
    });
    const { settings } = await catalog.updateSettings({
      settings: { maxResponseBodySize: 9, maxRequestBodySize: 77 },
      updateMask: { paths: ["max_response_body_size", "request_log_level"] },
    });
    expect(settings).to.deep.include({
      requestLogLevel: RequestLogLevel.BASIC,
      sensitiveHeaders: ["x-team"],
      maxRequestBodySize: 0,
      maxResponseBodySize: 9,
    });
    const { settings: defaults } = await catalog.updateSettings({
      settings: {},
      updateMask: { paths: ["*"] },
    });
    expect(defaults).to.deep.include({ sensitiveHeaders: [], maxResponseBodySize: 1_048_576 });
    const { rows } = await app.database.knex.raw("select key from settings");
    expect(rows).to.deep.equal([{ key: "reservation_key" }]);
  });

  it("are not changed by the second of two who read the same", async () => {
    const { catalog } = app.clients;
    const { etag } = await catalog.getSettings({});
    const first = await catalog.updateSettings({ settings: { maxRequestBodySize: 5 }, etag });
    const error = await rpcFailure(
      catalog.updateSettings({ settings: { maxRequestBodySize: 6 }, etag }),
    );
    expect([error.code, error.reason]).to.deep.equal([Code.ABORTED, "ETAG_MISMATCH"]);
    expect(await catalog.getSettings({})).to.deep.include({ etag: first.etag });
  });

  it("are judged by the contract, and masks by what there is", async () => {
    const { catalog } = app.clients;
    const calls = [
      [
        () => catalog.updateSettings({ settings: { maxRequestBodySize: -1 } }),
        "settings.max_request_body_size",
      ],
      [
        () => catalog.updateSettings({ settings: {}, updateMask: { paths: ["reservation_key"] } }),
        "update_mask.paths[0]",
      ],
      [() => catalog.updateSettings({}), "settings"],
    ] as const;
    for (const [call, field] of calls) {
      const error = await rpcFailure(call());
      expect(error.code).to.equal(Code.INVALID_ARGUMENT);
      expect(error.details.badRequest?.fieldViolations[0]?.field).to.equal(field);
    }
  });
});
