import { randomBytes } from "node:crypto";
import { expect } from "chai";
import { RequestLogLevel } from "../../gen/tally/v1/catalog_pb.js";
import { UsageStatus, UsageView } from "../../gen/tally/v1/usage_pb.js";
import { DEFAULT_SENSITIVE_HEADERS } from "../../src/catalog/settings.js";
import { createLogger } from "../../src/telemetry/logger.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { rpcFailure } from "../support/rpc-failure.js";
import { USAGE_CATALOG, type UsageInit, usage } from "./usage-fixture.js";

/** In every case, and one that only the settings name. */
const HEADERS = [
  ...DEFAULT_SENSITIVE_HEADERS,
  ...DEFAULT_SENSITIVE_HEADERS.map((name) => name.toUpperCase()),
  "X-Own-Secret",
];

describe("secrets of requests", () => {
  const lines: string[] = [];
  const secrets: string[] = [];
  let app: TestApp;

  before(async () => {
    const destination = { write: (line: string) => void lines.push(line) };
    app = await startTestApp({ logger: createLogger({ level: "trace", destination }) });
    await app.apply(USAGE_CATALOG);
  });
  after(() => app.stop());

  /** A text in which what is secret stands between words that may be shown. */
  function secret(): string {
    const core = randomBytes(12).toString("hex");
    secrets.push(core);
    return `Bearer ${core} end`;
  }

  const headers = () => ({
    ...Object.fromEntries(HEADERS.map((name) => [name, secret()])),
    "content-type": "application/json",
  });

  const string = (value: string) => ({ kind: { case: "stringValue" as const, value } });

  function body() {
    const fields = { prompt: string(secret()), [secret()]: string("a key") };
    return { kind: { case: "structValue" as const, value: { fields } } };
  }

  /** A request with a secret in everything that is not to be kept. */
  function told(fields: UsageInit = {}): UsageInit & { requestId: string } {
    const json = () => body() as unknown as NonNullable<UsageInit["requestBody"]>;
    return usage({
      requestHeaders: headers(),
      providerRequestHeaders: headers(),
      responseHeaders: headers(),
      requestBody: json(),
      responseBody: json(),
      ...fields,
    });
  }

  /** All that the database holds in whatever table. */
  async function dump(): Promise<string> {
    const { knex } = app.database;
    const { rows: tables } = await knex.raw(`
      select table_schema as schema, table_name as name from information_schema.tables
      where table_schema not in ('pg_catalog', 'information_schema') and table_type = 'BASE TABLE'`);
    const texts: string[] = [];
    for (const { schema, name } of tables) {
      const { rows } = await knex.raw("select t::text || to_json(t)::text as row from ??.?? t", [
        schema,
        name,
      ]);
      texts.push(...rows.map(({ row }: { row: string }) => row));
    }
    return texts.join("\n");
  }

  function expectNoSecrets(text: string): void {
    expect(secrets.filter((core) => text.includes(core))).to.deep.equal([]);
  }

  async function setLevel(requestLogLevel: RequestLogLevel): Promise<void> {
    await app.apply({ settings: { requestLogLevel, sensitiveHeaders: ["x-own-secret"] } });
  }

  it("reach neither the database nor the log at level HEADERS", async () => {
    await setLevel(RequestLogLevel.HEADERS);
    const { recorder } = app.clients;
    const input = told();
    await recorder.recordUsage({ usage: input });
    await recorder.recordUsage({ usage: { ...input, ...told(), requestId: input.requestId } });
    await recorder.batchRecordUsage({
      requests: [{ usage: told() }, { usage: told({ model: "" }) }],
    });
    const started = told();
    await recorder.startUsage({ usage: started });
    await recorder.updateUsageStatus({
      requestId: started.requestId,
      status: UsageStatus.STREAMING,
    });
    await recorder.recordUsage({ usage: told({ requestId: started.requestId }) });
    await rpcFailure(recorder.startUsage({ usage: told({ requestId: started.requestId }) }));
    await rpcFailure(recorder.recordUsage({ usage: told({ statusCode: 99 }) }));

    const held = await dump();
    expect(held).to.contain("Bear**** end").and.to.contain("application/json");
    expectNoSecrets(held);
    expect(lines.length).to.be.greaterThan(0);
    expectNoSecrets(lines.join(""));

    const { record } = await recorder.getUsage({
      requestId: started.requestId,
      view: UsageView.FULL,
    });
    const { requestHeaders, providerRequestHeaders, responseHeaders } = record!.payload!;
    for (const stored of [requestHeaders, providerRequestHeaders, responseHeaders]) {
      for (const name of HEADERS) expect(stored[name], name).to.equal("Bear**** end");
    }
    expect(record!.payload!.requestBody).to.equal(undefined);
  });

  it("reach no log line at level FULL, even when the database refuses the row that holds them", async () => {
    await setLevel(RequestLogLevel.FULL);
    const { recorder } = app.clients;
    const poison = told();
    await app.database.knex.raw(
      `alter table usage_payloads add constraint poison check (request_id <> '${poison.requestId}')`,
    );
    const requests = [{ usage: told() }, { usage: poison }];
    const { results } = await recorder.batchRecordUsage({ requests });
    expect(results.map(({ result }) => result.case)).to.deep.equal(["response", "error"]);
    const log = lines.join("");
    expect(log).to.contain("poison");
    expectNoSecrets(log);
    expectNoSecrets(
      JSON.stringify(results[1], (_, value) => (typeof value === "bigint" ? "" : value)),
    );
  });
});
