import { fileURLToPath } from "node:url";

/** What `npm run proto:bundle` writes. */
export const BUNDLE = fileURLToPath(new URL("../../.proto-bundle", import.meta.url));

/** The example of a language. */
export function clientFolder(language: string): string {
  return fileURLToPath(new URL(`../../examples/clients/${language}`, import.meta.url));
}
