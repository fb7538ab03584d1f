/** Emphasis of text on a terminal; leaves text as it is where there is none. */
export interface Style {
  bold(text: string): string;
  /** For what is as it should be. */
  good(text: string): string;
  /** For what is not. */
  bad(text: string): string;
}

/** What decides whether colours are shown. */
export interface StyleTarget {
  readonly isTTY?: boolean | undefined;
}

/** Colours on a terminal, unless NO_COLOR is set (https://no-color.org); else none. */
export function createStyle(target: StyleTarget, noColor: string | undefined): Style {
  const isColored = target.isTTY === true && (noColor === undefined || noColor === "");
  const sgr = (code: number) => (text: string) =>
    isColored ? `\x1b[${code}m${text}\x1b[0m` : text;
  return { bold: sgr(1), good: sgr(32), bad: sgr(31) };
}
