/** One thing that is wrong with a catalog file. */
export interface FileProblem {
  /** Line in the file, from 1. */
  readonly line: number;
  /** Where in the document: "budgets[3].window.time_zone"; "" for the document itself. */
  readonly path: string;
  /** What is wrong, for people. */
  readonly text: string;
}

/** A file that makes no catalog document; the message names every problem with its line. */
export class CatalogFileError extends Error {
  override readonly name = "CatalogFileError";

  constructor(readonly problems: readonly FileProblem[]) {
    super(formatProblems(problems));
  }
}

/** A line for each problem, in the order of the file. */
export function formatProblems(problems: readonly FileProblem[]): string {
  return [...problems]
    .sort((a, b) => a.line - b.line)
    .map(({ line, path, text }) => `line ${line}: ${path === "" ? "" : `${path}: `}${text}`)
    .join("\n");
}
