import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { runCommand } from "../support/run-command.js";
import { BUNDLE, clientFolder } from "./folders.js";
import { describeGateway } from "./gateway-suite.js";
import { installGoProgram, installStep, prepareOrSkip, toolsFolder } from "./toolchains.js";

const cwd = clientFolder("go");
const npmPrograms = fileURLToPath(new URL("../../node_modules/.bin", import.meta.url));

/** The version of the Go module that go.mod names, too, and the newest of the other. */
const PLUGINS: [module: string, version: string][] = [
  ["google.golang.org/protobuf/cmd/protoc-gen-go", "v1.36.10"],
  ["google.golang.org/grpc/cmd/protoc-gen-go-grpc", "v1.5.1"],
];

describe("examples/clients/go", () => {
  let program: string;

  before(function () {
    return prepareOrSkip(this, async () => {
      const folders = [npmPrograms];
      for (const plugin of PLUGINS) folders.push(dirname(await installGoProgram(...plugin)));
      await installStep("go", ["mod", "download"], { cwd });
      const env = { PATH: [...folders, process.env.PATH].join(":") };
      await mustRun("sh", ["generate.sh", BUNDLE], env);
      program = join(await toolsFolder("go-gateway"), "gateway");
      await mustRun("go", ["vet", "."]);
      await mustRun("go", ["build", "-o", program, "."]);
    });
  });

  async function mustRun(file: string, args: string[], env = {}): Promise<void> {
    const { exitCode, stderr } = await runCommand(file, args, { cwd, env, timeoutMs: 180_000 });
    expect(exitCode, stderr).to.equal(0);
  }

  describeGateway(() => ({ file: program, args: [], cwd }));
});
