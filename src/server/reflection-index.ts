import {
  type DescEnum,
  type DescExtension,
  type DescFile,
  type DescMessage,
  type DescService,
  toBinary,
} from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";

/** Finds the files that describe services, and everything that those files import. */
export interface ReflectionIndex {
  /** Full names of the services, sorted. */
  readonly serviceNames: readonly string[];
  fileByName(name: string): DescFile | undefined;
  /** By the full name of anything that has one: service, method, message, field, enum, value. */
  fileBySymbol(name: string): DescFile | undefined;
  fileByExtension(extendee: string, number: number): DescFile | undefined;
  /** Numbers of the known extensions, ascending. Undefined for a message that is not known. */
  extensionNumbers(extendee: string): readonly number[] | undefined;
  /** The file and all that it imports, directly or not, as `FileDescriptorProto` bytes. */
  withImports(file: DescFile): readonly Uint8Array[];
}

/**
 * Reads the descriptors once.
 *
 * @param further - files that no service imports, and clients ask for all the same.
 */
export function createReflectionIndex(
  services: readonly DescService[],
  further: readonly DescFile[],
): ReflectionIndex {
  const files = new Map<string, DescFile>();
  const symbols = new Map<string, DescFile>();
  const extensions = new Map<string, Map<number, DescFile>>();
  for (const file of [...services.map((service) => service.file), ...further]) {
    for (const reached of reachableFiles(file)) files.set(reached.proto.name, reached);
  }
  for (const file of files.values()) {
    for (const name of symbolsOf(file)) symbols.set(name, file);
    for (const extension of extensionsOf(file)) {
      const ofMessage = extensions.get(extension.extendee.typeName) ?? new Map();
      extensions.set(extension.extendee.typeName, ofMessage.set(extension.number, file));
    }
  }
  return {
    serviceNames: services.map(({ typeName }) => typeName).sort(),
    fileByName: (name) => files.get(name),
    fileBySymbol: (name) => symbols.get(name),
    fileByExtension: (extendee, number) => extensions.get(extendee)?.get(number),
    extensionNumbers(extendee) {
      if (!symbols.has(extendee)) return undefined;
      return [...(extensions.get(extendee)?.keys() ?? [])].sort((a, b) => a - b);
    },
    withImports: (file) =>
      reachableFiles(file).map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto)),
  };
}

/** The file first, then its imports, each once. */
function reachableFiles(file: DescFile): DescFile[] {
  const reached = new Set([file]);
  // A set iterates over what is added on the way too.
  for (const { dependencies } of reached) for (const next of dependencies) reached.add(next);
  return [...reached];
}

function symbolsOf(file: DescFile): string[] {
  return [...nestedTypes(file)].flatMap((type) => {
    switch (type.kind) {
      case "service":
        return [type.typeName, ...type.methods.map(({ name }) => `${type.typeName}.${name}`)];
      case "message":
        return [type.typeName, ...memberNames(type)];
      case "enum":
        return [type.typeName, ...valueNames(type)];
      case "extension":
        return [type.typeName];
      default:
        return [];
    }
  });
}

function memberNames({ typeName, fields, oneofs }: DescMessage): string[] {
  return [...fields, ...oneofs].map(({ name }) => `${typeName}.${name}`);
}

/** Values of an enum live beside it, as in C++, and not inside of it. */
function valueNames({ typeName, values }: DescEnum): string[] {
  const scope = typeName.slice(0, typeName.lastIndexOf(".") + 1);
  return values.map(({ name }) => scope + name);
}

function extensionsOf(file: DescFile): DescExtension[] {
  return [...nestedTypes(file)].filter((type) => type.kind === "extension");
}
