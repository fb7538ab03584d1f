import { clone, type DescField, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import type { FieldMask } from "@bufbuild/protobuf/wkt";
import { type FieldViolation, violation } from "../errors.js";

/** A field and the messages that it is in, outermost first. */
type FieldPath = readonly DescField[];

/** Every path of a mask that names no field of the message. */
export function maskViolations(schema: DescMessage, mask: FieldMask | undefined): FieldViolation[] {
  const paths = [...(mask?.paths ?? []).entries()];
  return paths.flatMap(([index, path]) => {
    if (path === "*" || resolve(schema, path) !== undefined) return [];
    const rule = `must be "*" or a field of ${schema.name}, as the contract spells it`;
    return [violation(`update_mask.paths[${index}]`, path, rule)];
  });
}

/**
 * What a message becomes when the fields that a mask names are taken from another: what is not
 * given there is cleared. Without paths, the fields that are given.
 *
 * @param mask - without {@link maskViolations}
 * @param fixed - names of fields that stay, whatever the mask says: ids, and what is output only
 */
export function applyMask<Desc extends DescMessage>(
  schema: Desc,
  { current, given }: Readonly<Record<"current" | "given", MessageShape<Desc>>>,
  { mask, fixed }: { readonly mask: FieldMask | undefined; readonly fixed: readonly string[] },
): MessageShape<Desc> {
  const result = clone(schema, current);
  const source = reflect(schema, given);
  const target = reflect(schema, result);
  for (const path of pathsOf(schema, source, mask)) {
    if (!fixed.includes(path[0]!.name)) copyField(path, source, target);
  }
  return result;
}

function pathsOf(
  schema: DescMessage,
  given: ReflectMessage,
  mask: FieldMask | undefined,
): FieldPath[] {
  const paths = mask?.paths ?? [];
  if (paths.includes("*")) return schema.fields.map((field) => [field]);
  if (paths.length > 0) return paths.flatMap((path) => [resolve(schema, path) ?? []]);
  return schema.fields.filter((field) => given.isSet(field)).map((field) => [field]);
}

function copyField(path: FieldPath, source: ReflectMessage, target: ReflectMessage): void {
  const [field, ...rest] = path;
  if (field === undefined) return;
  if (rest.length === 0 || field.fieldKind !== "message") {
    if (source.isSet(field)) target.set(field, source.get(field));
    else target.clear(field);
    return;
  }
  // Of a message that is not there, reading gives an empty one, which must be put in place.
  const inner = target.get(field);
  copyField(rest, source.get(field), inner);
  target.set(field, inner);
}

/** The fields of a path; undefined when there is none. Lists are not gone into. */
function resolve(schema: DescMessage, path: string): FieldPath | undefined {
  const fields: DescField[] = [];
  let message: DescMessage | undefined = schema;
  for (const name of path.split(".")) {
    const field: DescField | undefined = message?.fields.find((known) => known.name === name);
    if (field === undefined) return undefined;
    fields.push(field);
    message = field.fieldKind === "message" ? field.message : undefined;
  }
  return fields;
}
