import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { renderConfigDocs } from "../../scripts/config-docs.js";
import { SETTINGS } from "../../src/config-settings.js";

describe("docs/configuration.md", () => {
  it("is what scripts/config-docs.ts writes", async () => {
    const path = new URL("../../docs/configuration.md", import.meta.url);
    expect(await readFile(path, "utf8")).to.equal(renderConfigDocs(Object.values(SETTINGS)));
  });

  it("tells name, default and what is allowed of every setting", () => {
    const text = renderConfigDocs(Object.values(SETTINGS));
    for (const { name, kind, ...setting } of Object.values(SETTINGS)) {
      expect(text).to.include(`## ${name}\n`);
      expect(text).to.include(`- Allowed: ${kind.allowed}\n`);
      expect(text).to.include(
        `| \`${name}\` | ${setting.default ? `\`${setting.default}\`` : ""} |`,
      );
    }
  });
});
