import type { RootHookObject } from "mocha";
import { stopTestServer } from "./postgres.js";

/** For all test files; named in .mocharc.json under `require`. */
export const mochaHooks: RootHookObject = {
  async afterAll() {
    await stopTestServer();
  },
};
