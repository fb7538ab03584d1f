/** Where progress is shown, standard error for instance. */
export interface ProgressTarget {
  readonly isTTY?: boolean | undefined;
  write(text: string): unknown;
}

/** Shows how far something has come until it is stopped. */
export interface Progress {
  /** Shows the last state and leaves it standing. */
  stop(): void;
}

const TTY_INTERVAL_MS = 100;
const PLAIN_INTERVAL_MS = 3_000;

/**
 * Shows what `describe` says: on a terminal in one line that renews itself ten times a second,
 * elsewhere as a plain line every three seconds.
 */
export function showProgress(target: ProgressTarget, describe: () => string): Progress {
  const isLive = target.isTTY === true;
  const show = () => target.write(isLive ? `\r\x1b[2K${describe()}` : `${describe()}\n`);
  const timer = setInterval(show, isLive ? TTY_INTERVAL_MS : PLAIN_INTERVAL_MS);
  timer.unref();
  return {
    stop() {
      clearInterval(timer);
      show();
      if (isLive) target.write("\n");
    },
  };
}
