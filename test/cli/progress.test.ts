import { expect } from "chai";
import { showProgress } from "../../src/cli/progress.js";

function target(isTTY: boolean) {
  const written: string[] = [];
  let wake: () => void = () => undefined;
  return {
    isTTY,
    written,
    write(text: string) {
      written.push(text);
      wake();
    },
    /** Resolves at the next write. */
    nextWrite: () =>
      new Promise<void>((resolve) => {
        wake = resolve;
      }),
  };
}

describe("showProgress", () => {
  it("renews one line on a terminal and leaves the last state standing", async () => {
    const terminal = target(true);
    let done = 0;
    const progress = showProgress(terminal, () => `${done} done`);
    // The timer alone does not keep the process alive.
    const keepAlive = setInterval(() => undefined, 1_000);
    await terminal.nextWrite();
    clearInterval(keepAlive);
    done = 7;
    progress.stop();
    expect(terminal.written[0]).to.equal("\r\x1b[2K0 done");
    expect(terminal.written.slice(-2)).to.deep.equal(["\r\x1b[2K7 done", "\n"]);
  });

  it("writes plain lines elsewhere, the last one when it stops", () => {
    const file = target(false);
    showProgress(file, () => "7 done").stop();
    expect(file.written).to.deep.equal(["7 done\n"]);
  });
});
