/** A day and how much there was on it. */
export interface HeatmapDay {
  /** "2026-11-24". */
  readonly date: string;
  readonly amount: bigint;
}

/** From nothing to most. */
const PLAIN_CELLS = [".", "-", "+", "*", "#"];
/** Shades of the 256 colours of terminals: grey, then green. */
const SHADES = [238, 22, 28, 34, 40];
const CELL = "\u25a0";

const WEEKDAYS = ["Mon", "   ", "Wed", "   ", "Fri", "   ", "Sun"];
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const MARGIN = "     ";
/** A year is drawn in one piece. */
const MAX_WEEKS = 53;
const DAY_MS = 86_400_000;

type Week = readonly (HeatmapDay | undefined)[];

/**
 * Draws a calendar: a column for each week from Monday, a cell for each day, the darker the more. In
 * colour where there is any, else in ASCII. Spans of more than a year are drawn below each other.
 *
 * @param days - without gaps, the earliest first
 */
export function drawHeatmap(days: readonly HeatmapDay[], colored: boolean): string {
  let most = 0n;
  for (const { amount } of days) if (amount > most) most = amount;
  const draw = (level: number) =>
    colored ? `\x1b[38;5;${SHADES[level]}m${CELL}\x1b[0m` : PLAIN_CELLS[level]!;
  const weeks = weeksOf(days);
  const pieces: string[] = [];
  for (let first = 0; first < weeks.length; first += MAX_WEEKS) {
    const piece = weeks.slice(first, first + MAX_WEEKS);
    const lines = WEEKDAYS.map((name, weekday) => {
      const cells = piece.map((week) => {
        const day = week[weekday];
        return day === undefined ? " " : draw(levelOf(day.amount, most));
      });
      return ` ${name} ${cells.join("")}`.trimEnd();
    });
    pieces.push([monthLine(piece), ...lines, ""].join("\n"));
  }
  const legend = `${MARGIN}less ${[0, 1, 2, 3, 4].map(draw).join("")} more\n`;
  return `${pieces.join("\n")}\n${legend}`;
}

/** Quarters of the most; 0 for nothing. */
function levelOf(amount: bigint, most: bigint): number {
  if (amount <= 0n) return 0;
  return Number((amount * 4n + most - 1n) / most);
}

function weeksOf(days: readonly HeatmapDay[]): Week[] {
  const weeks: (HeatmapDay | undefined)[][] = [];
  for (const day of days) {
    const weekday = weekdayOf(day.date);
    if (weeks.length === 0 || weekday === 0) weeks.push([]);
    weeks.at(-1)![weekday] = day;
  }
  return weeks;
}

/** From Monday. 1970 began on a Thursday. */
function weekdayOf(date: string): number {
  return (Math.floor(Date.parse(date) / DAY_MS) + 3) % 7;
}

/** Names of months above the weeks in which they begin, where there is room. */
function monthLine(weeks: readonly Week[]): string {
  let line = MARGIN;
  weeks.forEach((week, index) => {
    const begun = week.find((day) => day?.date.endsWith("-01"));
    const column = MARGIN.length + index;
    if (begun === undefined || (line.length >= column && column > MARGIN.length)) return;
    line = `${line.padEnd(column)}${MONTHS[Number(begun.date.slice(5, 7)) - 1]}`;
  });
  return line.trimEnd();
}
