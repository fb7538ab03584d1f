/** `npm run bench` runs every benchmark, `npm run bench -- NAME` one. */
import { benchCheck } from "./check.js";
import { benchRecord } from "./record.js";
import { benchStream } from "./stream.js";

const benches: Readonly<Record<string, () => Promise<boolean>>> = {
  check: benchCheck,
  record: benchRecord,
  stream: benchStream,
};

const names = process.argv.slice(2);
const unknown = names.find((name) => benches[name] === undefined);
if (unknown !== undefined) {
  process.stderr.write(
    `no benchmark "${unknown}"; there are: ${Object.keys(benches).join(", ")}\n`,
  );
  process.exit(2);
}
let isEveryFloorMet = true;
for (const name of names.length > 0 ? names : Object.keys(benches)) {
  isEveryFloorMet = (await benches[name]!()) && isEveryFloorMet;
}
process.exit(isEveryFloorMet ? 0 : 1);
