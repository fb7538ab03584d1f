/**
 * `npm run bench` runs every benchmark, `npm run bench -- NAME` one. `--records N` makes the histories
 * smaller that analytics and growth are about.
 */
import { parseArgs } from "node:util";
import { benchAnalytics } from "./analytics.js";
import { benchCheck } from "./check.js";
import { benchGrowth } from "./growth.js";
import { benchRecord } from "./record.js";
import { benchStream } from "./stream.js";

/** What a benchmark can be told. */
interface BenchOptions {
  readonly records?: number;
}

const benches: Readonly<Record<string, (options: BenchOptions) => Promise<boolean>>> = {
  analytics: benchAnalytics,
  check: benchCheck,
  growth: benchGrowth,
  record: benchRecord,
  stream: benchStream,
};

const { positionals: names, values } = parseArgs({
  allowPositionals: true,
  options: { records: { type: "string" } },
});
const unknown = names.find((name) => benches[name] === undefined);
if (unknown !== undefined) {
  process.stderr.write(
    `no benchmark "${unknown}"; there are: ${Object.keys(benches).join(", ")}\n`,
  );
  process.exit(2);
}
const records = values.records === undefined ? undefined : Number(values.records);
if (records !== undefined && !(Number.isSafeInteger(records) && records > 0)) {
  process.stderr.write(`--records: must be a whole number above 0, got ${values.records}\n`);
  process.exit(2);
}
const options: BenchOptions = records === undefined ? {} : { records };
let isEveryFloorMet = true;
for (const name of names.length > 0 ? names : Object.keys(benches)) {
  isEveryFloorMet = (await benches[name]!(options)) && isEveryFloorMet;
}
process.exit(isEveryFloorMet ? 0 : 1);
