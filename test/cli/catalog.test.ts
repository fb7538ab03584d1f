import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { Command } from "commander";
import { registerCatalogCommands } from "../../src/cli/catalog.js";
import { CommandError } from "../../src/cli/command-error.js";
import { describeError } from "../../src/cli/describe-error.js";
import { type CatalogServer, startCatalogServer } from "../catalog/catalog-server.js";
import {
  createTemporaryDirectory,
  type TemporaryDirectory,
} from "../support/temporary-directory.js";

describe("tally catalog", () => {
  let server: CatalogServer;
  let directory: TemporaryDirectory;

  before(async () => {
    server = await startCatalogServer();
    directory = await createTemporaryDirectory();
  });
  after(async () => {
    await server.stop();
    await directory.remove();
  });

  /** What a command prints. */
  async function run(...args: string[]): Promise<string> {
    let printed = "";
    const program = new Command("tally").exitOverride();
    registerCatalogCommands(program, { write: (text) => (printed += text) });
    await program.parseAsync(["catalog", ...args, "--address", server.address], { from: "user" });
    return printed;
  }

  async function failure(...args: string[]): Promise<unknown> {
    return run(...args).then(
      () => expect.fail("the command succeeded"),
      (error: unknown) => error,
    );
  }

  async function fileOf(text: string): Promise<string> {
    const path = join(directory.path, "catalog.yaml");
    await writeFile(path, text);
    return path;
  }

  describe("apply", () => {
    it("prints what is created and what changes, money in dollars, and how much stays", async () => {
      const before = `
users:
  - user_id: alice
    email: alice@example.com
budgets:
  - budget_id: monthly
    scope: USER
    subject: alice
    limit_usd: 20
  - budget_id: tokens
    scope: GLOBAL
    measure: TOKENS
    limit: 1000
`;
      const after = `${before
        .replace("limit_usd: 20", "limit_usd: 30.5")
        .replace("1000", "2000")
        .replace("alice@example.com", "alice@example.org")}
prices:
  - model: m
    price: { tiers: [{ input_usd_per_million: 0.15, output_usd_per_million: 3 }] }
`;
      await run("apply", await fileOf(before));
      expect(await run("apply", await fileOf(after))).to.equal(
        [
          "~ users alice",
          '    email: "alice@example.com" -> "alice@example.org"',
          "+ prices m@*",
          "    price.tiers[0].input_usd_per_million: $0.15",
          "    price.tiers[0].output_usd_per_million: $3.00",
          '    source: "operator"',
          "~ budgets monthly",
          "    limit: $20.00 -> $30.50",
          "~ budgets tokens",
          '    limit: "1000" -> "2000"',
          "1 created, 3 updated, 0 unchanged",
          "",
        ].join("\n"),
      );
      expect(server.directory.budget("monthly")?.limit).to.equal(30_500_000_000n);
      expect(await run("apply", await fileOf(after))).to.equal(
        "0 created, 0 updated, 4 unchanged\n",
      );
    });

    it("changes nothing in a dry run, and says so", async () => {
      const path = await fileOf("models: [{ model: dry, display_name: Dry }]");
      expect(await run("apply", path, "--dry-run")).to.equal(
        [
          "+ models dry",
          '    display_name: "Dry"',
          "    active: true",
          "1 created, 0 updated, 0 unchanged; nothing was written (dry run)",
          "",
        ].join("\n"),
      );
      expect(server.directory.model("dry")).to.equal(undefined);
    });

    it("applies the example that explains everything", async () => {
      const printed = await run("apply", "examples/catalog.yaml");
      expect(printed).to.match(/\n\d+ created, \d+ updated, 0 unchanged\n$/);
      const again = await run("apply", "examples/catalog.yaml");
      expect(again).to.match(/^0 created, 0 updated, \d+ unchanged\n$/);
    });

    it("shows control characters in names instead of obeying them", async () => {
      const path = await fileOf('models: [{ model: "a\\e[31mb", display_name: "\\x9b2J" }]');
      const printed = await run("apply", path, "--dry-run");
      expect(printed).to.include("+ models a\\u001b[31mb");
      expect(printed).to.include('display_name: "\\u009b2J"');
    });

    it("names everything that is wrong with the file, by line", async () => {
      const path = await fileOf("users:\n  - user_id: a\n    roel: ADMIN\n  - user_idd: b\n");
      const error = await failure("apply", path);
      expect(error).to.be.instanceOf(CommandError);
      const [head, ...lines] = (error as Error).message.split("\n");
      expect(head).to.equal(`${path} cannot be applied:`);
      expect(lines.map((line) => line.replace(/;.*/, ""))).to.deep.equal([
        'line 3: users[0]: unknown key "roel"',
        'line 4: users[1]: unknown key "user_idd"',
      ]);
    });

    it("puts the server's complaints on the lines of the file", async () => {
      const path = await fileOf(`api_keys:
  - api_key_id: k
    user_id: nobody
budgets:
  - budget_id: b
    scope: TAG
    subject: team
  - budget_id: c
    scope: GLOBAL
    window: { kind: EVERY_N_DAYS }
`);
      const error = await failure("apply", path);
      expect((error as Error).message.split("\n").slice(1)).to.deep.equal([
        'line 3: api_keys[0].user_id: must be a user of the catalog or of the same request (was "nobody")',
        'line 7: budgets[0].subject: must be "key=value" for TAG, a key of 1 to 63 characters and a value of up to 200 (was "team")',
        "line 10: budgets[1].window.days: is required for EVERY_N_DAYS (was unset)",
        "line 10: budgets[1].window.anchor_time: is required for EVERY_N_DAYS (was unset)",
      ]);
    });

    it("says what to do when there is no such file", async () => {
      const error = await failure("apply", join(directory.path, "none.yaml"));
      expect((error as Error).message).to.match(/^cannot read .*none\.yaml: ENOENT/);
    });
  });

  describe("import-prices", () => {
    it("counts what it did, and why it left prices out", async () => {
      const dry = await run("import-prices", "--provider", "openai", "--dry-run");
      expect(dry).to.match(/^prices of the collection, version \d+\.\d+\.\d+\n/);
      expect(dry).to.match(/\ncreated +\d{2,}\n/);
      expect(dry).to.match(/\nUNSUPPORTED_UNIT +\d+\n/);
      expect(dry).to.match(/\nnothing was written \(dry run\)\n$/);
      await run("import-prices", "--provider", "openai", "--provider", "anthropic");
      const again = await run("import-prices", "--provider", "openai");
      expect(again).to.match(/\ncreated +0\nupdated +0\nunchanged +\d{2,}\n/);
      expect(again).to.not.include("dry run");
    });

    it("lists what it left out when asked", async () => {
      const printed = await run("import-prices", "--provider", "openai", "--show-skipped");
      expect(printed).to.match(/\nopenai\/\S+ +UNSUPPORTED_UNIT: \w+\n/);
    });

    it("keeps what an operator set", async () => {
      await run(
        "apply",
        await fileOf(`prices:
  - model: gpt-4o
    price: { tiers: [{ input_usd_per_million: 1, output_usd_per_million: 1 }] }
`),
      );
      const printed = await run("import-prices", "--provider", "openai");
      expect(printed).to.match(/left as an operator set them +[1-9]\d*\n/);
    });
  });

  it("says what to do when no server answers", async () => {
    const path = await fileOf("models: []");
    const program = new Command("tally").exitOverride();
    registerCatalogCommands(program, { write: () => undefined });
    const call = program.parseAsync(["catalog", "apply", path, "--address", "127.0.0.1:1"], {
      from: "user",
    });
    const error = await call.then(
      () => expect.fail("the command succeeded"),
      (reason: unknown) => reason,
    );
    const text = describeError(error, { withStack: false });
    expect(text).to.match(/^error: .*127\.0\.0\.1:1/);
    expect(text).to.include("hint: is tally serve running there? --address");
  });
});
