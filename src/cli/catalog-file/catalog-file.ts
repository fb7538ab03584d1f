import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { isAlias, isScalar, LineCounter, type Node, parseDocument } from "yaml";
import { type CatalogDocument, CatalogDocumentSchema } from "../../../gen/tally/v1/catalog_pb.js";
import { CatalogFileError, type FileProblem } from "./problem.js";
import { type ReadContext, readMessage } from "./read-message.js";

/** A catalog document that was read from a file. */
export interface CatalogFile {
  readonly document: CatalogDocument;
  /**
   * The line, from 1, where a part of the document is, or else what holds it.
   *
   * @param path - in the contract's spelling: "budgets[3].window.time_zone"
   */
  lineOf(path: string): number;
}

/**
 * Reads YAML, or JSON, as a catalog document. Keys are the contract's, in snake_case or
 * camelCase; enum values go by their short names; times may be dates; money may be given in
 * dollars under keys with `usd` in place of `nano_usd`, and is taken exactly from its text.
 *
 * @throws CatalogFileError with everything that is wrong
 */
export function readCatalogFile(text: string): CatalogFile {
  const lineCounter = new LineCounter();
  const yaml = parseDocument<Node>(text, { lineCounter, prettyErrors: false });
  const lineAt = (offset: number) => Math.max(1, lineCounter.linePos(offset).line);
  const lineOfNode = (node: Node) => lineAt(node.range?.[0] ?? 0);
  const problems: FileProblem[] = yaml.errors.map(({ message, pos }) => {
    return { line: lineAt(pos[0]), path: "", text: message };
  });
  // After any other error the rest is guesswork, and would be full of problems that are none.
  if (yaml.errors.some(({ code }) => code !== "DUPLICATE_KEY"))
    throw new CatalogFileError(problems);
  const lines = new Map<string, number>();
  const context: ReadContext = {
    resolve: (node) => (isAlias(node) ? node.resolve(yaml) : node),
    place: (path, node) => lines.set(path, lineOfNode(node)),
    report: (path, node, problem) => problems.push({ line: lineOfNode(node), path, text: problem }),
  };
  const root = yaml.contents;
  const isEmpty = root === null || (isScalar(root) && root.value === null);
  const part = { node: root as Node, path: "" };
  const fields = isEmpty ? {} : readMessage(part, CatalogDocumentSchema, context);
  if (problems.length > 0) throw new CatalogFileError(problems);
  const document = create(
    CatalogDocumentSchema,
    fields as MessageInitShape<typeof CatalogDocumentSchema>,
  );
  return { document, lineOf: (path) => findLine(lines, path) };
}

/** Goes from a part to what holds it until one is known: a field that is not there has no line. */
function findLine(lines: ReadonlyMap<string, number>, path: string): number {
  let part = path;
  while (part !== "") {
    const line = lines.get(part);
    if (line !== undefined) return line;
    part = part.slice(0, Math.max(0, part.lastIndexOf("."), part.lastIndexOf("[")));
  }
  return 1;
}
