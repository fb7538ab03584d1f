import { create } from "@bufbuild/protobuf";
import { expect } from "chai";
import { UsageInputSchema } from "../../gen/tally/v1/usage_pb.js";
import { createCatalogDirectory } from "../../src/catalog/directory.js";
import { DatabaseUnavailableError } from "../../src/database/errors.js";
import { DomainError, deadlineExceeded } from "../../src/errors.js";
import { createPriceBook } from "../../src/pricing/price-book.js";
import { fromProtoUsageInput } from "../../src/usage/from-proto.js";
import { createPartitionKeeper } from "../../src/usage/partitions.js";
import { createUsagePreparer } from "../../src/usage/prepare.js";
import type { RecordRequest } from "../../src/usage/record-request.js";
import { createRecorder, type Recorder } from "../../src/usage/recorder.js";
import { createUsageStore } from "../../src/usage/usage-store.js";
import { createTestDatabase, silentLogger, type TestDatabase } from "../support/postgres.js";
import { holdUsageKeys } from "./held-table.js";
import { type UsageInit, usage } from "./usage-fixture.js";

const nowUs = () => Date.now() * 1_000;

describe("createRecorder", () => {
  let test: TestDatabase;

  before(async () => {
    test = await createTestDatabase();
  });
  after(() => test.drop());

  /** Sizes of the recorder, and what may go wrong before the store is asked. */
  interface Options {
    lanes?: number;
    batchSize?: number;
    queueLimit?: number;
    failRecord?: (count: number) => void;
    failReplace?: (count: number) => void;
  }

  /** A recorder on the real store, and how many new records each of its transactions held. */
  function makeRecorder({ failRecord, failReplace, ...options }: Options = {}) {
    const store = createUsageStore(test.database);
    const batches: number[] = [];
    const recorder = createRecorder({
      ...options,
      store: {
        ...store,
        async record(writes, lane) {
          batches.push(writes.length);
          failRecord?.(writes.length);
          return store.record(writes, lane);
        },
        async replace(replacements, lane) {
          failReplace?.(replacements.length);
          return store.replace(replacements, lane);
        },
      },
      partitions: createPartitionKeeper(store),
      preparer: createUsagePreparer({
        directory: createCatalogDirectory(),
        pricing: createPriceBook(),
        onUnpriced: () => undefined,
      }),
      onPosted: () => undefined,
      limitOf: () => undefined,
      logger: silentLogger,
      nowUs,
    });
    return { recorder, batches };
  }

  function request(fields: UsageInit = {}, throwIfOver = () => {}): RecordRequest {
    const input = create(UsageInputSchema, usage(fields));
    const submission = fromProtoUsageInput(input, { nowUs, makeRequestId: () => "" });
    const rest = { payload: undefined, reservation: undefined, conflictPolicy: "REVISE" } as const;
    return { submission, throwIfOver, ...rest };
  }

  async function refusal(recorder: Recorder): Promise<DomainError> {
    const error = await recorder.record(request()).catch((reason: unknown) => reason);
    if (error instanceof DomainError) return error;
    throw new Error(`no DomainError but ${error}`);
  }

  it("commits a lone record at once, and what comes meanwhile together", async () => {
    const { recorder, batches } = makeRecorder({ lanes: 1, batchSize: 3 });
    const held = await holdUsageKeys(test.database);
    const lone = recorder.record(request());
    await held.waiters(1);
    const others = [1, 2, 3, 4].map(() => recorder.record(request()));
    expect(recorder.depth).to.equal(5);
    await held.letGo();
    const results = await Promise.all([lone, ...others]);
    expect(results.map(({ outcome }) => outcome)).to.deep.equal(Array(5).fill("CREATED"));
    expect(batches).to.deep.equal([1, 3, 1]);
    expect(recorder.depth).to.equal(0);
  });

  it("has as many transactions under way as it has lanes", async () => {
    const { recorder, batches } = makeRecorder({ lanes: 2, batchSize: 1 });
    const held = await holdUsageKeys(test.database);
    // Enough users for every lane to have some.
    const all = Array.from({ length: 20 }, () => recorder.record(request()));
    await held.waiters(2);
    expect(batches).to.deep.equal([1, 1]);
    await held.letGo();
    await Promise.all(all);
    expect(batches).to.deep.equal(Array(20).fill(1));
  });

  it("refuses what its queue has no room for, and takes it later", async () => {
    const { recorder } = makeRecorder({ lanes: 1, batchSize: 1, queueLimit: 2 });
    const held = await holdUsageKeys(test.database);
    // One id alone fills the queue just as well.
    const input = usage();
    const taken = [recorder.record(request(input)), recorder.record(request(input))];
    const error = await refusal(recorder);
    expect(error.reason).to.equal("OVERLOADED");
    expect(error.retryAfterMs).to.be.greaterThan(0);
    await held.letGo();
    const outcomes = (await Promise.all(taken)).map(({ outcome }) => outcome);
    expect(outcomes).to.deep.equal(["CREATED", "REPLAYED"]);
    expect((await recorder.record(request())).outcome).to.equal("CREATED");
  });

  it("makes those that can wait leave half of its queue, and wakes them when it is free", async () => {
    const { recorder } = makeRecorder({ lanes: 1, batchSize: 1, queueLimit: 4 });
    const held = await holdUsageKeys(test.database);
    const taken = [recorder.record(request())];
    expect(recorder.awaitRoom()).to.equal(undefined);
    taken.push(recorder.record(request()));
    const room = recorder.awaitRoom();
    expect(room).to.be.instanceOf(Promise).and.equal(recorder.awaitRoom());
    taken.push(recorder.record(request()), recorder.record(request()));
    expect((await refusal(recorder)).reason).to.equal("OVERLOADED");
    await held.letGo();
    await room;
    expect(recorder.depth).to.equal(1);
    expect(recorder.awaitRoom()).to.equal(undefined);
    await Promise.all(taken);
  });

  it("lets nobody wait for room once it stops", async () => {
    const { recorder } = makeRecorder({ lanes: 1, batchSize: 1, queueLimit: 2 });
    const held = await holdUsageKeys(test.database);
    const taken = [recorder.record(request()), recorder.record(request())];
    const room = recorder.awaitRoom();
    const stopped = recorder.stop();
    expect(recorder.awaitRoom()).to.equal(undefined);
    await held.letGo();
    await Promise.all([room, stopped, ...taken]);
    expect(recorder.depth).to.equal(0);
  });

  it("drops what nobody waits for before it reaches the database", async () => {
    const { recorder, batches } = makeRecorder({ lanes: 1 });
    const held = await holdUsageKeys(test.database);
    const first = recorder.record(request());
    await held.waiters(1);
    let isOver = false;
    const late = recorder
      .record(
        request({}, () => {
          if (isOver) throw deadlineExceeded();
        }),
      )
      .catch((error: DomainError) => error.reason);
    isOver = true;
    await held.letGo();
    await first;
    expect(await late).to.equal("DEADLINE_EXCEEDED");
    expect(batches).to.deep.equal([1]);
    expect(recorder.depth).to.equal(0);
  });

  it("judges the ones behind it when the one before was dropped", async () => {
    const { recorder } = makeRecorder();
    const input = usage();
    const dropped = recorder.record(
      request(input, () => {
        throw deadlineExceeded();
      }),
    );
    const behind = recorder.record(request(input));
    expect((await dropped.catch((error: DomainError) => error)) as unknown).to.be.instanceOf(
      DomainError,
    );
    expect((await behind).outcome).to.equal("CREATED");
  });

  it("looks for the bad record in halves, and fails it alone", async () => {
    const { recorder, batches } = makeRecorder({
      lanes: 1,
      failRecord(count) {
        if (count > 1) throw new Error("one of them is bad");
      },
    });
    const results = await Promise.all([1, 2, 3].map(() => recorder.record(request())));
    expect(results.map(({ outcome }) => outcome)).to.deep.equal(Array(3).fill("CREATED"));
    expect(batches).to.deep.equal([3, 2, 1, 1, 1]);
  });

  it("looks for no bad record when the database is away", async () => {
    const { recorder, batches } = makeRecorder({
      lanes: 1,
      failRecord() {
        throw new DatabaseUnavailableError("away");
      },
    });
    const calls = [1, 2, 3].map(() => recorder.record(request()));
    for (const { status } of await Promise.allSettled(calls)) expect(status).to.equal("rejected");
    expect(batches).to.deep.equal([3]);
    expect(recorder.depth).to.equal(0);
  });

  it("answers each of a group of known records once, when replacing them together fails", async () => {
    const { recorder } = makeRecorder({
      lanes: 1,
      failReplace(count) {
        if (count > 1) throw new Error("one of them is bad");
      },
    });
    const inputs = [usage(), usage(), usage()] as const;
    await Promise.all(inputs.map((input) => recorder.record(request(input))));
    const again = [inputs[0], ...inputs.slice(1).map((input) => ({ ...input, outputTokens: 1n }))];
    const results = await Promise.all(again.map((input) => recorder.record(request(input))));
    expect(results.map(({ outcome }) => outcome)).to.deep.equal(["REPLAYED", "REVISED", "REVISED"]);
    expect(recorder.depth).to.equal(0);
    await recorder.stop();
  });

  it("writes what it took before it stops, and takes no more", async () => {
    const { recorder } = makeRecorder({ lanes: 1, batchSize: 1 });
    const held = await holdUsageKeys(test.database);
    const taken = [recorder.record(request()), recorder.record(request())];
    let hasStopped = false;
    const stopped = recorder.stop().then(() => {
      hasStopped = true;
    });
    expect((await refusal(recorder)).reason).to.equal("SHUTTING_DOWN");
    await held.waiters(1);
    expect(hasStopped).to.equal(false);
    await held.letGo();
    await stopped;
    expect(recorder.depth).to.equal(0);
    const outcomes = (await Promise.all(taken)).map(({ outcome }) => outcome);
    expect(outcomes).to.deep.equal(["CREATED", "CREATED"]);
  });

  it("stops at once when it has nothing to do", async () => {
    const { recorder } = makeRecorder();
    await recorder.stop();
    expect((await refusal(recorder)).kind).to.equal("unavailable");
  });
});
