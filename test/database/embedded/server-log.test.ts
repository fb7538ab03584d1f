import { appendFile, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { openServerLog } from "../../../src/database/embedded/server-log.js";
import {
  createTemporaryDirectory,
  type TemporaryDirectory,
} from "../../support/temporary-directory.js";

describe("openServerLog", () => {
  let directory: TemporaryDirectory;
  let path: string;

  beforeEach(async () => {
    directory = await createTemporaryDirectory();
    path = join(directory.path, "postgres.log");
  });
  afterEach(() => directory.remove());

  it("gives the last lines since it was opened, and keeps the older ones in the file", async () => {
    await writeFile(path, "of an earlier start\n");
    const log = await openServerLog(path, undefined);
    expect(await log.tail()).to.equal("");
    await appendFile(path, `${"x".repeat(10_000)}\nthe last line\n`);
    const tail = await log.tail();
    expect(tail).to.match(/the last line$/);
    expect(Buffer.byteLength(tail)).to.be.at.most(4096);
    await log.close();
    expect(await readFile(path, "utf8")).to.match(/^of an earlier start\n/);
  });

  it("sets a big log aside, so that it does not grow for ever", async () => {
    await writeFile(path, "");
    await truncate(path, 10 * 1024 * 1024 + 1);
    await (await openServerLog(path, undefined)).close();
    expect((await stat(path)).size).to.equal(0);
    expect((await stat(`${path}.1`)).size).to.equal(10 * 1024 * 1024 + 1);
  });

  it("keeps the log from other users", async () => {
    await (await openServerLog(path, undefined)).close();
    expect((await stat(path)).mode & 0o777).to.equal(0o600);
  });
});
