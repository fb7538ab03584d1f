import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A certificate and its key, PEM, in memory and in files. */
export interface IssuedCertificate {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly certFile: string;
  readonly keyFile: string;
}

/** Signs certificates. */
export interface CertificateAuthority {
  readonly cert: Buffer;
  readonly certFile: string;
  /** @param names as openssl writes them: "DNS:localhost", "URI:spiffe://corp/gateway" */
  issue(fileName: string, names: readonly string[], days?: number): Promise<IssuedCertificate>;
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

/** Makes an authority of its own with the openssl of the machine, its files in the folder. */
export async function createAuthority(folder: string, name: string): Promise<CertificateAuthority> {
  const certFile = join(folder, `${name}.pem`);
  const keyFile = join(folder, `${name}.key`);
  await run("openssl", [
    ...["req", "-x509", ...NEW_KEY, "-keyout", keyFile, "-out", certFile],
    ...["-days", "2", "-subj", `/CN=${name}`],
  ]);

  async function issue(fileName: string, names: readonly string[], days = 1) {
    const issued = { cert: join(folder, `${fileName}.pem`), key: join(folder, `${fileName}.key`) };
    const request = join(folder, `${fileName}.csr`);
    const extensions = join(folder, `${fileName}.ext`);
    await writeFile(extensions, `subjectAltName=${names.join(",")}\n`);
    await run("openssl", [
      ...["req", "-new", ...NEW_KEY, "-keyout", issued.key, "-out", request],
      ...["-subj", `/CN=${fileName}`],
    ]);
    await run("openssl", [
      ...["x509", "-req", "-in", request, "-CA", certFile, "-CAkey", keyFile, "-CAcreateserial"],
      ...["-days", String(days), "-extfile", extensions, "-out", issued.cert],
    ]);
    return {
      cert: await readFile(issued.cert),
      key: await readFile(issued.key),
      certFile: issued.cert,
      keyFile: issued.key,
    };
  }

  return { cert: await readFile(certFile), certFile, issue };
}
