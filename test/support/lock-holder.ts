import { lockDirectory } from "../../src/database/embedded/directory-lock.js";

/** A program: takes the lock of the directory of its argument, says so, and stays. */
const [, , dir = ""] = process.argv;
await lockDirectory(dir, undefined);
process.stdout.write("locked\n");
process.stdin.resume();
