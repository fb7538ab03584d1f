import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { parseAllDocuments } from "yaml";
import { installStep, prepareOrSkip } from "../examples/toolchains.js";
import { runCommand } from "../support/run-command.js";
import { createTemporaryDirectory } from "../support/temporary-directory.js";

const root = fileURLToPath(new URL("../../", import.meta.url));

describe("deploy/kubernetes, by kubectl", () => {
  before(function () {
    return prepareOrSkip(this, () => installStep("kubectl", ["version", "--client"]));
  });

  it("makes one set of resources, with the image's own name", async () => {
    const folder = join(root, "deploy/kubernetes");
    const { stdout, stderr, exitCode } = await runCommand("kubectl", ["kustomize", folder]);
    expect(exitCode, stderr).to.equal(0);
    const resources = parseAllDocuments(stdout).map((document) => document.toJS());
    const kinds = resources.map(({ kind }) => kind);
    expect(kinds).to.include.members(["Deployment", "PodDisruptionBudget", "Service"]);
    const deployment = resources.find(({ kind }) => kind === "Deployment");
    expect(deployment.metadata.namespace).to.equal("tally");
    expect(deployment.spec.template.spec.containers[0].image).to.match(/^registry.+\/tally:\d/);
  });
});

describe("deploy/systemd, by systemd-analyze", () => {
  before(function () {
    return prepareOrSkip(this, () => installStep("systemd-analyze", ["--version"]));
  });

  it("is a unit without faults", async () => {
    const folder = await createTemporaryDirectory();
    try {
      const unit = await readFile(join(root, "deploy/systemd/tally.service"), "utf8");
      const path = join(folder.path, "tally.service");
      // It wants the programs to be there.
      await cp(join(root, "bin"), join(folder.path, "bin"), { recursive: true });
      const here = unit
        .replaceAll("/opt/tally", folder.path)
        .replace("/usr/bin/node", process.execPath);
      await writeFile(path, here);
      const { stderr, exitCode } = await runCommand("systemd-analyze", ["verify", path]);
      expect(exitCode, stderr).to.equal(0);
      expect(stderr).to.not.contain("tally.service:");
    } finally {
      await folder.remove();
    }
  });
});
