import { join } from "node:path";
import { expect } from "chai";
import { runCommand } from "../support/run-command.js";
import { BUNDLE, clientFolder } from "./folders.js";
import { describeGateway } from "./gateway-suite.js";
import { installStep, MissingToolchain, prepareOrSkip } from "./toolchains.js";

const cwd = clientFolder("java");

/** What Maven says when it is the network that is missing, and not the code that is wrong. */
const UNREACHABLE =
  /Could not (resolve|transfer)|Unknown host|offline mode|UnresolvableModel|PluginResolution/;

describe("examples/clients/java", () => {
  before(function () {
    return prepareOrSkip(this, async () => {
      await installStep("javac", ["--version"]);
      await installStep("mvn", ["--version"]);
      const build = ["-q", "-B", "clean", "package", `-Dbundle=${BUNDLE}`];
      const { exitCode, stdout } = await runCommand("mvn", build, { cwd, timeoutMs: 240_000 });
      if (exitCode === null || UNREACHABLE.test(stdout)) {
        throw new MissingToolchain(`mvn: ${stdout.split("\n")[0] || "took too long"}`);
      }
      expect(exitCode, stdout).to.equal(0);
    });
  });

  const classPath = [join(cwd, "target/classes"), join(cwd, "target/lib/*")].join(":");
  describeGateway(() => ({ file: "java", args: ["-cp", classPath, "example.Gateway"], cwd }));
});
