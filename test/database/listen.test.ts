import { randomBytes } from "node:crypto";
import { expect } from "chai";
import {
  createNotificationListener,
  type NotificationListener,
} from "../../src/database/listen.js";
import { eventually } from "../support/eventually.js";
import { createTestDatabase, silentLogger, type TestDatabase } from "../support/postgres.js";

describe("createNotificationListener", () => {
  let test: TestDatabase;
  let listener: NotificationListener;
  let received: string[];
  let reconnects: number;
  let applicationName: string;

  before(async () => {
    test = await createTestDatabase();
  });
  after(() => test.drop());
  beforeEach(async () => {
    received = [];
    reconnects = 0;
    applicationName = `listener-${randomBytes(4).toString("hex")}`;
    listener = createNotificationListener({
      connection: test.connection,
      channels: ["prices", 'a "quoted" Name'],
      applicationName,
      onNotification: (channel, payload) => received.push(`${channel}: ${payload}`),
      onReconnect: () => {
        reconnects += 1;
      },
      logger: silentLogger,
    });
    await listener.start();
  });
  afterEach(() => listener.stop());

  async function notify(channel: string, payload: string): Promise<void> {
    await test.database.knex.raw("select pg_notify(?, ?)", [channel, payload]);
  }

  async function sessions(): Promise<number> {
    const activity = test.database.knex("pg_stat_activity");
    return (await activity.where({ application_name: applicationName })).length;
  }

  it("hands on what is notified on its channels, in order, and nothing else", async () => {
    await notify("prices", "1");
    await notify("other", "2");
    await notify('a "quoted" Name', "3");
    await notify("prices", "");
    await eventually("all have arrived", () => received.length >= 3);
    expect(received).to.deep.equal(["prices: 1", 'a "quoted" Name: 3', "prices: "]);
    expect(reconnects).to.equal(0);
  });

  it("comes back when its connection is dropped, says so, and hears again", async () => {
    await test.database.knex.raw(
      "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = ?",
      [applicationName],
    );
    await eventually("it has reconnected", () => reconnects === 1);
    await notify("prices", "after");
    await eventually("it has arrived", () => received.length > 0);
    expect(received).to.deep.equal(["prices: after"]);
  });

  it("closes its connection when it stops, and does not come back", async () => {
    expect(await sessions()).to.equal(1);
    await listener.stop();
    await eventually("the session is gone", async () => (await sessions()) === 0);
    expect(reconnects).to.equal(0);
  });

  it("gives up a start that finds no server, when it stops", async () => {
    const lost = createNotificationListener({
      connection: "postgres://x@127.0.0.1:1/x",
      channels: ["prices"],
      onNotification: () => undefined,
      onReconnect: () => undefined,
      logger: silentLogger,
    });
    const started = lost.start();
    await lost.stop();
    await started;
  });
});
