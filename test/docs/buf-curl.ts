/**
 * The arguments of `buf curl` that ask what grpcurl's ask, by the table of docs/operations.md;
 * undefined if it has none.
 */
export function toBufCurl(args: readonly string[]): string[] | undefined {
  const given: string[] = [];
  const places: string[] = [];
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] as string;
    if (arg === "-H" || arg === "-d") given.push(arg, withMaskAsText(args[++index] as string));
    else if (arg !== "-plaintext") places.push(arg);
  }
  const [address, subject = "", name] = places;
  const common = [
    "curl",
    "--protocol",
    "grpc",
    "--http2-prior-knowledge",
    "--reflect-header",
    "*",
    ...given,
  ];
  if (subject === "describe") return undefined;
  if (subject !== "list") {
    // Unlike grpcurl, it sends no message when it is given none.
    const data = given.includes("-d") ? [] : ["-d", "{}"];
    return [...common, ...data, `http://${address}/${subject}`];
  }
  const what = name === undefined ? "--list-services" : "--list-methods";
  return [...common, what, `http://${address}`];
}

/** A field mask as protobuf's JSON has it; grpcurl wants the message behind it. */
function withMaskAsText(data: string): string {
  return data.replace(/"update_mask": \{"paths": \["(\w+)"\]\}/, '"update_mask": "$1"');
}
