import { readdir } from "node:fs/promises";
import type { DescFile, DescMethod } from "@bufbuild/protobuf";

/** Every method of Tally's own contract, found in what was generated from it. */
export async function contractMethods(): Promise<DescMethod[]> {
  const folder = new URL("../../gen/tally/v1/", import.meta.url);
  const names = (await readdir(folder)).filter((name) => name.endsWith("_pb.ts")).sort();
  const methods: DescMethod[] = [];
  for (const name of names) {
    const generated: Record<string, unknown> = await import(new URL(name, folder).href);
    const file = Object.values(generated).find(isFile);
    methods.push(...(file?.services ?? []).flatMap((service) => service.methods));
  }
  return methods;
}

function isFile(value: unknown): value is DescFile {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "file";
}
