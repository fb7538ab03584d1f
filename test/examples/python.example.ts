import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { runCommand } from "../support/run-command.js";
import { BUNDLE, clientFolder } from "./folders.js";
import { describeGateway } from "./gateway-suite.js";
import { installStep, prepareOrSkip, toolsFolder } from "./toolchains.js";

const cwd = clientFolder("python");

describe("examples/clients/python", () => {
  let python: string;

  before(function () {
    return prepareOrSkip(this, async () => {
      const venv = await toolsFolder("python-venv");
      python = join(venv, "bin/python");
      if (!existsSync(python)) await installStep("python3", ["-m", "venv", venv]);
      const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
      await installStep(python, [...pip, "-r", "requirements.txt"], { cwd });
      const env = { PYTHON: python };
      const { exitCode, stderr } = await runCommand("sh", ["generate.sh", BUNDLE], { cwd, env });
      expect(exitCode, stderr).to.equal(0);
    });
  });

  describeGateway(() => ({ file: python, args: ["gateway.py"], cwd }));
});
