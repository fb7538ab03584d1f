/**
 * Prints a proto2/proto3 file descriptor as `.proto` source. Needed because the rules of
 * protovalidate come on npm only as a descriptor inside JavaScript, while buf, and clients in
 * other languages, want a file. Covers what that file uses: flat messages and enums, oneofs,
 * extensions of options, and options whose values are messages.
 */
import {
  createRegistry,
  type DescEnum,
  type DescExtension,
  type DescField,
  type DescFile,
  type DescMessage,
  type DescOneof,
  getOption,
  type Message,
} from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import {
  Edition,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";

/** Source text of the file; `extensions` are the custom options that it uses itself. */
export function printProto(file: DescFile): string {
  const syntax = file.edition === Edition.EDITION_PROTO3 ? "proto3" : "proto2";
  const print = createPrinter(file, syntax);
  const fileOptions = file.proto.options ? messageEntries(reflectOf(file, "FileOptions")) : [];
  return [
    `syntax = "${syntax}";`,
    `package ${file.proto.package};`,
    file.proto.dependency.map((path) => `import "${path}";`).join("\n"),
    fileOptions.map(([name, value]) => `option ${name} = ${value};`).join("\n"),
    ...print.extensions(),
    ...file.enums.map(print.enumeration),
    ...file.messages.map(print.message),
  ].join("\n\n");

  function reflectOf(source: DescFile, name: string): ReflectMessage {
    const schema = optionSchema(source, name);
    return reflect(schema, source.proto.options as Message);
  }
}

function optionSchema(file: DescFile, name: string): DescMessage {
  const registry = createRegistry(...file.dependencies);
  const schema = registry.getMessage(`google.protobuf.${name}`);
  if (!schema) throw new Error(`${file.name} does not import google.protobuf.${name}`);
  return schema;
}

function createPrinter(file: DescFile, syntax: "proto2" | "proto3") {
  return { message, enumeration, extensions };

  function extensions(): string[] {
    return file.extensions.map((extension) =>
      block(`extend ${extension.extendee.typeName}`, [field(extension)]),
    );
  }

  function enumeration(descriptor: DescEnum): string {
    return block(
      `enum ${descriptor.name}`,
      descriptor.values.map((value) => `${value.name} = ${value.number};`),
    );
  }

  function message(descriptor: DescMessage): string {
    const printed = new Set<DescOneof>();
    const body: string[] = [];
    for (const member of descriptor.fields) {
      if (!member.oneof) {
        body.push(field(member));
      } else if (!printed.has(member.oneof)) {
        printed.add(member.oneof);
        body.push(block(`oneof ${member.oneof.name}`, member.oneof.fields.map(field)));
      }
    }
    body.push(...reserved(descriptor), ...extensionRanges(descriptor));
    return block(`message ${descriptor.name}`, body);
  }

  function field(descriptor: DescField | DescExtension): string {
    const options = customOptions(descriptor);
    const suffix = options.length > 0 ? ` [${options.join(", ")}]` : "";
    const type = `${label(descriptor)}${typeName(descriptor)}`;
    return `${type} ${descriptor.name} = ${descriptor.number}${suffix};`;
  }

  function label(descriptor: DescField | DescExtension): string {
    if (descriptor.kind === "field" && descriptor.fieldKind === "map") return "";
    if (descriptor.kind === "field" && descriptor.oneof) return "";
    switch (descriptor.proto.label) {
      case Label.REPEATED:
        return "repeated ";
      case Label.REQUIRED:
        return "required ";
      default:
        return syntax === "proto2" || descriptor.proto.proto3Optional ? "optional " : "";
    }
  }

  function customOptions(descriptor: DescField | DescExtension): string[] {
    return file.extensions
      .filter((extension) => extension.extendee.typeName === "google.protobuf.FieldOptions")
      .filter((extension) =>
        descriptor.proto.options?.$unknown?.some((u) => u.no === extension.number),
      )
      .map((extension) => {
        const value = getOption(descriptor as DescField, extension) as Message;
        return `(${extension.typeName}) = ${text(reflect(extension.message as DescMessage, value))}`;
      });
  }
}

function reserved(descriptor: DescMessage): string[] {
  const numbers = descriptor.proto.reservedRange.map((r) => range(r.start, r.end));
  const names = descriptor.proto.reservedName.map((name) => JSON.stringify(name));
  return [numbers, names].filter((list) => list.length > 0).map((l) => `reserved ${l.join(", ")};`);
}

function extensionRanges(descriptor: DescMessage): string[] {
  return descriptor.proto.extensionRange.map((r) => `extensions ${range(r.start, r.end)};`);
}

/** Descriptors end a range before its last number; sources name the last one. */
function range(start: number, end: number): string {
  const last = end - 1;
  if (last === 536_870_911) return `${start} to max`;
  return start === last ? String(start) : `${start} to ${last}`;
}

function typeName(descriptor: DescField | DescExtension): string {
  if (descriptor.kind === "field" && descriptor.fieldKind === "map") {
    const value = descriptor.message?.typeName ?? descriptor.enum?.typeName;
    return `map<${scalarName(descriptor.mapKey)}, ${value ?? scalarName(descriptor.scalar)}>`;
  }
  const named = descriptor.proto.typeName.replace(/^\./, "");
  return named === "" ? scalarName(descriptor.proto.type) : named;
}

function scalarName(type: number | undefined): string {
  const name = type === undefined ? undefined : Type[type];
  if (!name) throw new Error(`unknown field type ${type}`);
  return name.toLowerCase();
}

/** A message in the text format that option values are written in. */
function text(message: ReflectMessage): string {
  return `{ ${messageEntries(message)
    .map(([name, value]) => `${name}: ${value}`)
    .join(", ")} }`;
}

function messageEntries(message: ReflectMessage): [string, string][] {
  return message.fields
    .filter((field) => message.isSet(field))
    .map((field): [string, string] => [field.name, fieldText(message, field)]);
}

function fieldText(message: ReflectMessage, field: DescField): string {
  switch (field.fieldKind) {
    case "message":
      return text(message.get(field) as ReflectMessage);
    case "list": {
      const items = [...(message.get(field) as Iterable<unknown>)];
      return `[${items.map((item) => (field.message ? text(item as ReflectMessage) : literal(item))).join(", ")}]`;
    }
    case "enum":
      return field.enum.value[message.get(field) as number]?.name ?? "";
    default:
      return literal(message.get(field));
  }
}

function literal(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

function block(head: string, lines: string[]): string {
  const body = lines.flatMap((line) => line.split("\n")).map((line) => `  ${line}\n`);
  return `${head} {\n${body.join("")}}`;
}
