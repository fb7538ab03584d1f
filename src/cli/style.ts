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

/** Whether colours are shown: on a terminal, unless NO_COLOR is set. */
export function isColored(target: StyleTarget, noColor: string | undefined): boolean {
  return target.isTTY === true && (noColor === undefined || noColor === "");
}

/** Colours on a terminal, unless NO_COLOR is set (https://no-color.org); else none. */
export function createStyle(target: StyleTarget, noColor: string | undefined): Style {
  const colored = isColored(target, noColor);
  const sgr = (code: number) => (text: string) => (colored ? `\x1b[${code}m${text}\x1b[0m` : text);
  return { bold: sgr(1), good: sgr(32), bad: sgr(31) };
}
