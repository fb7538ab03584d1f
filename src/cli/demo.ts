import { once } from "node:events";
import type { Command } from "commander";
import { type Config, loadConfig } from "../config.js";
import { createLogger } from "../telemetry/logger.js";
import { createTallyClients, type TallyClients } from "../traffic/clients.js";
import { DEMO_CALLERS, demoLaneOf } from "../traffic/demo-callers.js";
import { demoCatalogDocument } from "../traffic/demo-catalog.js";
import { generateTraffic } from "../traffic/generator.js";
import { MAX_SEED } from "../traffic/prng.js";
import { TRAFFIC_PROVIDERS } from "../traffic/trace-catalog.js";
import { wholeNumberArgument } from "./arguments.js";
import { createDemoClock } from "./demo-clock.js";
import { callExamples } from "./demo-examples.js";
import { createDemoFolder, type DemoFolder } from "./demo-folder.js";
import { formatCount } from "./format.js";
import { reconcile, reconciliationTable } from "./reconciliation.js";
import { type SentTraffic, sendTraffic } from "./send-traffic.js";
import { catchStopSignals } from "./stop-signal.js";
import { createStyle } from "./style.js";
import { renderTables } from "./table.js";
import { driftLines, ledgerTable, trafficTables } from "./traffic-report.js";

interface DemoOptions {
  readonly exit: boolean;
  readonly requests: number;
  readonly seed: number;
  readonly keepData: boolean;
}

const DEFAULT_REQUESTS = 3_000;
const MAX_REQUESTS = 200_000;
const DEFAULT_SEED = 2_025;

/** Concurrency covers every lane of the demo several times. */
const CONCURRENCY = 256;
const CONNECTIONS = 2;
const RETRY_FOR_MS = 30_000;
const MEAN_GAP_MS = 1_500;

/** `tally demo`: a whole gateway day in a few seconds, on a database of its own. */
export function registerDemoCommand(program: Command): void {
  program
    .command("demo")
    .description("send seeded traffic through a fresh server and reconcile every figure")
    .option("--exit", "end when the figures are shown instead of serving on", false)
    .option(
      "--requests <n>",
      "how many requests to send",
      wholeNumberArgument(1, MAX_REQUESTS),
      DEFAULT_REQUESTS,
    )
    .option("--seed <n>", "decides the traffic", wholeNumberArgument(0, MAX_SEED), DEFAULT_SEED)
    .option("--keep-data", "leave the database behind and tell where", false)
    .addHelpText("after", HELP)
    .action(demo);
}

const HELP = `
Runs on an embedded PostgreSQL in a temporary directory, whatever DATABASE_URL says, and on a free
port of the loopback interface unless TALLY_GRPC_ADDRESS is set. The same seed and number of
requests make the same traffic, the same denials and the same totals, on any machine.

The exit code is 1 when any two figures that should agree do not.`;

async function demo(options: DemoOptions): Promise<void> {
  const stopSignal = catchStopSignals();
  const folder = await createDemoFolder(options.keepData);
  const config = demoConfig(folder);
  const logger = createLogger({ level: process.env.TALLY_LOG_LEVEL ? config.log.level : "warn" });
  const { createApp } = await import("../app.js");
  const app = createApp(config, { logger });
  try {
    const { grpcAddress } = await app.start();
    const isRight = await runDemo(grpcAddress, options, stopSignal);
    if (!isRight) process.exitCode = 1;
    if (!options.exit && !stopSignal.aborted) {
      process.stdout.write(callExamples(grpcAddress));
      await once(stopSignal, "abort");
    }
  } finally {
    await app.stop();
    await folder.discard();
  }
}

/** The configuration of the environment, but never on a database that holds something. */
function demoConfig(folder: DemoFolder): Config {
  const config = loadConfig(process.env);
  const address = process.env.TALLY_GRPC_ADDRESS ? config.grpc.address : "127.0.0.1:0";
  return {
    ...config,
    grpc: { ...config.grpc, address },
    http: { ...config.http, address: process.env.TALLY_HTTP_ADDRESS && config.http.address },
    database: { ...config.database, url: undefined, dataDir: folder.dataDir },
  };
}

/** @returns whether every figure agrees with every other. */
async function runDemo(
  address: string,
  { seed, requests }: DemoOptions,
  stopSignal: AbortSignal,
): Promise<boolean> {
  process.stdout.write(
    `tally demo: ${formatCount(requests)} requests from seed ${seed} to ${address}\n\n`,
  );
  const clients = createTallyClients(address, CONNECTIONS);
  try {
    const startedMs = Date.now();
    await clients.catalog.importPrices({ providers: [...TRAFFIC_PROVIDERS] });
    await clients.catalog.applyCatalog({ document: demoCatalogDocument(requests, startedMs) });
    const planned = [
      ...generateTraffic({
        seed,
        count: requests,
        callers: DEMO_CALLERS,
        meanGapMs: MEAN_GAP_MS,
        idPrefix: `demo-${seed}`,
      }),
    ];
    const sent = await sendTraffic({
      requests: planned,
      clients,
      concurrency: CONCURRENCY,
      speed: Number.POSITIVE_INFINITY,
      laneOf: demoLaneOf,
      reserve: true,
      recordDenied: false,
      createTimeMs: createDemoClock(planned, startedMs),
      retryForMs: RETRY_FOR_MS,
      stopSignal,
    });
    return await reportDemo(clients, sent);
  } finally {
    clients.close();
  }
}

async function reportDemo(clients: TallyClients, { totals, timing }: SentTraffic) {
  const verified = await clients.operations.verifyLedger({});
  const books = await reconcile(clients, totals, verified);
  const style = createStyle(process.stdout, process.env.NO_COLOR);
  const tables = [
    ...trafficTables(totals, timing),
    ledgerTable(verified),
    reconciliationTable(books),
  ];
  process.stdout.write(`${renderTables(tables, style)}\n`);
  for (const line of [...totals.errors, ...driftLines(verified), ...books.problems]) {
    process.stdout.write(`${style.bad(line)}\n`);
  }
  const isRight = books.problems.length === 0;
  const verdict = isRight
    ? style.good("every figure agrees, to the nano-USD")
    : style.bad("the figures do not agree");
  process.stdout.write(`${verdict}\n`);
  return isRight;
}
