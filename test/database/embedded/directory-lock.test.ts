import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import {
  type DirectoryLock,
  lockDirectory,
} from "../../../src/database/embedded/directory-lock.js";
import { EmbeddedPostgresError } from "../../../src/database/embedded/errors.js";
import {
  createTemporaryDirectory,
  type TemporaryDirectory,
} from "../../support/temporary-directory.js";

const HOLDER = fileURLToPath(new URL("../../support/lock-holder.ts", import.meta.url));

describe("lockDirectory", () => {
  let directory: TemporaryDirectory;
  let dir: string;

  beforeEach(async () => {
    directory = await createTemporaryDirectory();
    dir = join(directory.path, "lock");
  });
  afterEach(() => directory.remove());

  async function startHolder(): Promise<ChildProcess> {
    const holder = spawn(process.execPath, ["--import", "tsx", HOLDER, dir], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    if (holder.stdout !== null) await once(holder.stdout, "data");
    return holder;
  }

  async function kill(holder: ChildProcess): Promise<void> {
    const exited = once(holder, "exit");
    holder.kill("SIGKILL");
    await exited;
  }

  async function refusal(): Promise<EmbeddedPostgresError> {
    const outcome = await lockDirectory(dir, undefined).catch((error) => error);
    if (outcome instanceof EmbeddedPostgresError) return outcome;
    throw new Error("it was locked");
  }

  it("is held by one at a time, and can be had again once released", async () => {
    const lock = await lockDirectory(dir, undefined);
    expect((await refusal()).message).to.contain(`process ${process.pid}`);
    await lock.release();
    await (await lockDirectory(dir, undefined)).release();
    expect(await readdir(dir)).to.deep.equal([]);
  });

  it("is had by exactly one of many who come at once", async () => {
    for (let round = 0; round < 10; round += 1) {
      const attempts = Array.from({ length: 8 }, () => lockDirectory(dir, undefined));
      const outcomes = await Promise.allSettled(attempts);
      const locks = outcomes.flatMap((outcome) =>
        outcome.status === "fulfilled" ? [outcome.value] : [],
      );
      expect(locks).to.have.length(1);
      await Promise.all(locks.map((lock: DirectoryLock) => lock.release()));
    }
  });

  it("vanishes with a process that is killed", async () => {
    const holder = await startHolder();
    expect((await refusal()).message).to.contain(`process ${holder.pid}`);
    await kill(holder);
    await (await lockDirectory(dir, undefined)).release();
    expect(await readdir(dir)).to.deep.equal([]);
  });

  it("stays with a process that is stopped and cannot answer", async () => {
    const holder = await startHolder();
    holder.kill("SIGSTOP");
    expect((await refusal()).message).to.contain(`process ${holder.pid}`);
    await kill(holder);
  });

  it("works where the path is too long for a socket", async () => {
    dir = join(directory.path, ...Array<string>(4).fill("d".repeat(40)), "lock");
    const lock = await lockDirectory(dir, undefined);
    expect(await readdir(dir)).to.have.length(1);
    expect((await refusal()).code).to.equal("DIRECTORY_IN_USE");
    await lock.release();
    expect(await readdir(dir)).to.deep.equal([]);
  });
});
