import { randomBytes, randomInt } from "node:crypto";
import { chmod, mkdir, readdir, rename, rm } from "node:fs/promises";
import net from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { EmbeddedPostgresError } from "./errors.js";
import { giveTo, type ServerUser } from "./server-user.js";
import { shortPathTo } from "./short-path.js";
import { probeSocket } from "./socket-probe.js";

/**
 * One Tally a data directory. The lock must vanish with its process however that ends, must
 * hold before the database runs (two first starts at once) and while it is down, and must not
 * confuse a pid with a process that got the same one later. Node has no flock(); an advisory
 * lock needs a running server; a file with a pid has to be taken over when it is stale, and
 * taking over is itself a race. So each process raises a flag: a unix socket that it listens
 * on, under a name of its own in the lock directory. The kernel refuses connections to it from
 * the moment that its process is gone, also between containers that share the directory.
 *
 * Whoever wants the lock first raises its flag and then looks at all others. Of two that come
 * together at least the later looker sees the other's flag, so never do both hold the lock.
 * When both see each other, both lower their flags and try again after a random while. Dead
 * flags can be removed by anyone, since a name is never used twice.
 */
export interface DirectoryLock {
  release(): Promise<void>;
}

type FlagState = "contending" | "holding";

interface Flag {
  readonly name: string;
  state: FlagState;
  lower(): Promise<void>;
}

interface LiveFlag {
  readonly pid: string;
  readonly state: FlagState;
}

const CONTEND_MS = 5_000;
/** A live process whose event loop is blocked answers late; it counts as the holder. */
const ANSWER_TIMEOUT_MS = 1_000;

/**
 * Takes the lock, or fails at once when another process holds it.
 *
 * @param dir - a directory for the flags alone; made if need be.
 * @throws EmbeddedPostgresError DIRECTORY_IN_USE, with the pid of the holder.
 */
export async function lockDirectory(
  dir: string,
  user: ServerUser | undefined,
): Promise<DirectoryLock> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await giveTo(dir, user);
  const short = await shortPathTo(dir, flagName());
  try {
    const flag = await contend(dir, short.path, user);
    return { release: () => flag.lower() };
  } finally {
    await short.dispose();
  }
}

async function contend(dir: string, short: string, user: ServerUser | undefined): Promise<Flag> {
  const deadline = Date.now() + CONTEND_MS;
  for (;;) {
    const flag = await raiseFlag(dir, short, user);
    const others = await lookAtOthers(short, flag.name);
    if (others.length === 0) {
      flag.state = "holding";
      return flag;
    }
    await flag.lower();
    const holder = others.find(({ state }) => state === "holding");
    if (holder !== undefined || Date.now() > deadline) {
      const pid = holder?.pid ?? others[0]?.pid;
      throw new EmbeddedPostgresError(
        "DIRECTORY_IN_USE",
        `the data directory is in use by another Tally, process ${pid} (lock ${dir}); ` +
          "stop that one, or give this one another directory with TALLY_DATA_DIR",
      );
    }
    await delay(randomInt(5, 60));
  }
}

function flagName(): string {
  return `${process.pid}-${randomBytes(6).toString("hex")}`;
}

async function raiseFlag(dir: string, short: string, user: ServerUser | undefined): Promise<Flag> {
  const name = flagName();
  const path = join(dir, name);
  const server = net.createServer((socket) => {
    socket.on("error", () => undefined);
    socket.end(flag.state);
  });
  const flag: Flag = {
    name,
    state: "contending",
    async lower() {
      await new Promise<unknown>((resolve) => server.close(resolve));
      await rm(path, { force: true });
    },
  };
  // Between bind and listen a socket refuses connections and would be taken for a dead flag,
  // so it gets the name by which others look for it when it listens.
  const hidden = `.${name}`;
  await new Promise<void>((resolve, reject) => {
    server.on("error", reject);
    server.listen(join(short, hidden), resolve);
  });
  server.unref();
  await giveTo(join(dir, hidden), user);
  await chmod(join(dir, hidden), 0o600);
  await rename(join(dir, hidden), path);
  return flag;
}

async function lookAtOthers(short: string, ownName: string): Promise<LiveFlag[]> {
  const names = (await readdir(short)).filter((name) => name !== ownName && !name.startsWith("."));
  const states = await Promise.all(names.map((name) => askFlag(join(short, name))));
  const live: LiveFlag[] = [];
  for (const [index, name] of names.entries()) {
    const state = states[index];
    if (state === undefined) await rm(join(short, name), { force: true });
    else live.push({ pid: name.split("-")[0] ?? "?", state });
  }
  return live;
}

/** What the process behind a flag says; undefined when there is none any more. */
async function askFlag(path: string): Promise<FlagState | undefined> {
  const answer = await probeSocket(path, ANSWER_TIMEOUT_MS);
  if (answer === undefined) return undefined;
  return answer === "contending" ? "contending" : "holding";
}
