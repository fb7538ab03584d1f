/** Writes docs/schema.sql: what all migrations together make, on a database of its own. */
import { writeFile } from "node:fs/promises";
import { createTestDatabase, stopTestServer } from "../test/support/postgres.js";
import { schemaText } from "./schema-text.js";

const path = new URL("../docs/schema.sql", import.meta.url);

try {
  const { database, drop } = await createTestDatabase();
  await writeFile(path, await schemaText(database));
  await drop();
} finally {
  await stopTestServer();
}
