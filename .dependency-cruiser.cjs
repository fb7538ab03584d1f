/**
 * Who may import whom. ARCHITECTURE.md tells the reasons; `npm run lint` checks the rules, so that
 * a wrong import fails there and not in a review.
 *
 * A path names modules by a regular expression over their place in the project. Imports of types
 * count like any other: what is only named is depended on, too.
 */

/** Files that speak SQL, or carry the types of those that do. */
const STORES = "-store\\.ts$|^src/operations/checks/";

/** Files that know the contract's generated code, in rooms that are about something else. */
const CONVERTERS = "(/service|/rules|/proto-enums|(from|to)-proto)\\.ts$";

/** Rooms whose subject is Tally's own. */
const ROOMS = "pricing|cache|analytics|usage|quota|catalog|operations|identity";

/** @type {(name: string, comment: string, from: object, to: object) => object} */
function never(name, comment, from, to) {
  return { name, comment, severity: "error", from, to };
}

const everywhere = [
  never(
    "no-cycles",
    "Two modules that need each other are one, or have a third in common.",
    {},
    { circular: true },
  ),
  never(
    "no-drawers",
    "A module is named for what it holds; utils, helpers and common hold anything.",
    {},
    { path: "(^|/)(utils?|helpers?|common|misc|shared)(/|\\.ts$)", pathNot: "node_modules" },
  ),
  never(
    "no-dead-code",
    "What the command line never reaches is not part of the program.",
    { path: "^src/main\\.ts$" },
    { path: "^src/", reachable: false },
  ),
  never(
    "program-does-not-need-development",
    "What is installed or written for development is not there when Tally runs.",
    { path: "^src/" },
    { path: "^(test|bench|scripts)/|^node_modules/", dependencyTypesNot: ["npm", "npm-optional"] },
  ),
  never(
    "declared-packages-only",
    "A package that package.json does not name is there by accident.",
    {},
    { dependencyTypes: ["npm-no-pkg", "npm-unknown", "unknown", "undetermined"] },
  ),
];

const outsideWorld = [
  never(
    "sql-in-stores-only",
    "Only stores, and the database's own room, speak to PostgreSQL.",
    { path: "^src/", pathNot: `${STORES}|^src/database/` },
    { path: "^node_modules/(@types/)?(knex|pg)/" },
  ),
  never(
    "redis-in-the-cache-only",
    "Whoever keeps something asks the cache, which may be in this process.",
    { path: "^src/", pathNot: "^src/cache/" },
    { path: "^node_modules/ioredis/" },
  ),
  never(
    "contract-at-the-borders-only",
    "Generated code stays at a room's border (its service and what converts for it), and with " +
      "those who speak over the wire. The rest of a room has types of its own.",
    {
      path: "^src/",
      pathNot: `${CONVERTERS}|^src/(server|client|traffic|cli)/|^src/(app[a-z-]*|wire[a-z-]*)\\.ts$`,
    },
    { path: "^gen/|^node_modules/@bufbuild/" },
  ),
  never(
    "wire-in-transports-only",
    "A room does not know what carries its calls.",
    { path: `^src/(${ROOMS}|database)/` },
    { path: "^node_modules/@grpc/" },
  ),
  never(
    "configuration-is-handed-in",
    "Only what wires the program together reads settings; parts are given what they need.",
    { path: "^src/", pathNot: "^src/(app[a-z-]*|storage|main|config[a-z-]*)\\.ts$|^src/cli/" },
    { path: "^src/(app[a-z-]*|storage|config[a-z-]*)\\.ts$" },
  ),
];

const rooms = [
  never(
    "pricing-knows-no-room",
    "Tokens in, cost out: needed everywhere, so it needs nobody.",
    { path: "^src/pricing/" },
    { path: "^src/", pathNot: "^src/pricing/|^src/(ascii|errors)\\.ts$" },
  ),
  never(
    "cache-knows-no-room",
    "It keeps texts, whatever they say.",
    { path: "^src/cache/" },
    { path: "^src/", pathNot: "^src/cache/|^src/backoff\\.ts$" },
  ),
  never(
    "database-knows-no-room",
    "It runs what it is given, whatever the subject.",
    { path: "^src/database/" },
    { path: "^src/", pathNot: "^src/database/|^src/backoff\\.ts$" },
  ),
  never(
    "server-knows-no-room",
    "Transports carry any service; the handlers are handed in.",
    { path: "^src/server/" },
    { path: "^src/", pathNot: "^src/server/|^src/(ascii|caller|errors|wire[a-z-]*)\\.ts$" },
  ),
  never(
    "telemetry-knows-no-room",
    "Rooms are counted from outside, in app-metrics.ts: neither knows the other.",
    { path: "^src/telemetry/" },
    { path: "^src/", pathNot: "^src/telemetry/" },
  ),
  never(
    "rooms-are-not-telling",
    "A room is handed a logger, and callbacks; what becomes of them is not its business.",
    { path: `^src/(${ROOMS}|database|server)/` },
    { path: "^src/telemetry/" },
  ),
  never(
    "rooms-do-not-know-transports",
    "A service names the types of its handlers and their context; the rest of a room does not " +
      "know that it is called from outside.",
    { path: `^src/(${ROOMS})/` },
    { path: "^src/server/", pathNot: "^src/server/(handler|context)\\.ts$" },
  ),
  never(
    "only-services-know-calls",
    "Handler and context belong to services.",
    { path: `^src/(${ROOMS})/`, pathNot: "/service\\.ts$" },
    { path: "^src/server/" },
  ),
  never(
    "services-are-entrances",
    "A service is called by a transport, not by another room.",
    { path: "^src/", pathNot: "^src/app[a-z-]*\\.ts$" },
    { path: "/service\\.ts$" },
  ),
  never(
    "stores-keep-to-their-room",
    "A store reads and writes its own room's tables; another room's are asked for in TypeScript.",
    { path: "^src/([a-z]+)/.*-store\\.ts$" },
    { path: "-store\\.ts$", pathNot: "^src/$1/" },
  ),
  never(
    "catalog-reads-calendars-only",
    "Of quotas, the catalog needs to know what a window is.",
    { path: "^src/catalog/" },
    {
      path: "^src/",
      pathNot:
        "^src/(catalog|pricing|database|server)/|^src/quota/(calendar|time-zone)\\.ts$|^src/(ascii|errors)\\.ts$",
    },
  ),
  never(
    "quota-reads-the-catalog-in-memory",
    "Budgets and callers come as types; where they are kept is the catalog's business. Usage " +
      "settles with quota, never the other way round.",
    { path: "^src/quota/" },
    {
      path: "^src/",
      pathNot:
        "^src/(quota|pricing|database|server)/|^src/catalog/(types|settings)\\.ts$|^src/(ascii|errors|wire-empty)\\.ts$",
    },
  ),
  never(
    "usage-charges-through-quota",
    "Usage asks quota what a record charges and which reservation it settles, and the catalog in " +
      "memory for what it names.",
    { path: "^src/usage/" },
    {
      path: "^src/",
      pathNot:
        "^src/(usage|pricing|database|server)/|^src/quota/(spend|reservation)\\.ts$|^src/catalog/(types|directory|settings)\\.ts$|^src/(ascii|errors|wire-empty)\\.ts$",
    },
  ),
  never(
    "identity-is-a-room-of-its-own",
    "Who may call has nothing to do with what they call.",
    { path: "^src/identity/" },
    {
      path: "^src/",
      pathNot: "^src/(identity|database|server)/|^src/(ascii|caller|errors)\\.ts$",
    },
  ),
  never(
    "analytics-reads-rollups",
    "Sums come from tables and names are handed in; calendars and times are what they are elsewhere.",
    { path: "^src/analytics/" },
    {
      path: "^src/",
      pathNot:
        "^src/(analytics|pricing|database|server)/|^src/cache/cache\\.ts$|^src/quota/(time-zone|window)\\.ts$|^src/usage/time\\.ts$|^src/(ascii|errors)\\.ts$",
    },
  ),
  never(
    "operations-checks-independently",
    "The books are checked from the tables alone: code that wrote them would repeat its mistakes.",
    { path: "^src/operations/", pathNot: CONVERTERS },
    {
      path: "^src/",
      pathNot: "^src/(operations|database|server)/|^src/(ascii|errors)\\.ts$",
    },
  ),
  never(
    "operations-starts-what-usage-does",
    "Purging and repricing are the work of the room that owns the records; operations starts it.",
    { path: "^src/operations/(service|(from|to)-proto)\\.ts$" },
    {
      path: "^src/",
      pathNot:
        "^src/(operations|database|server)/|^src/usage/(retention|reprice)/[a-z-]+\\.ts$|^src/(ascii|errors|caller)\\.ts$",
    },
  ),
];

const callers = [
  never(
    "clients-use-the-contract",
    "Client and traffic know a server by its contract alone.",
    { path: "^src/(client|traffic)/" },
    {
      path: "^src/",
      pathNot: "^src/(client|traffic|pricing)/|^src/(ascii|backoff|errors|wire[a-z-]*)\\.ts$",
    },
  ),
  never(
    "commands-use-the-contract",
    "A command asks a server, or starts a whole one; it does not reach into a room.",
    { path: "^src/cli/" },
    { path: `^src/(${ROOMS}|server)/`, pathNot: "^src/pricing/(money|tokens)\\.ts$" },
  ),
];

/** @type {import("dependency-cruiser").IConfiguration} */
module.exports = {
  forbidden: [...everywhere, ...outsideWorld, ...rooms, ...callers],
  options: {
    doNotFollow: { path: "node_modules|^gen/" },
    exclude: { path: "node_modules/@types/node" },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    combinedDependencies: false,
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "types", "node", "default"],
      extensions: [".ts", ".js", ".d.ts"],
    },
  },
};
