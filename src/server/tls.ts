import { constants, createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import type { Logger } from "pino";

/** Where certificates are, and what is asked of clients. PEM files. */
export interface TlsSettings {
  /** The server's certificate, followed by those that lead to its CA. */
  readonly certFile: string;
  readonly keyFile: string;
  /** Clients whose certificates come from here are known by them. Undefined: none is asked for. */
  readonly clientCaFile: string | undefined;
  /** Whether a client without a certificate from there is turned away before it can call. */
  readonly requireClientCertificate: boolean;
}

/** What `tls.createServer` and `http2.createSecureServer` take. */
export interface TlsServerOptions extends SecureContextOptions {
  readonly requestCert: boolean;
  readonly rejectUnauthorized: boolean;
}

/** A TLS server of Node; an HTTP/2 one too. */
export interface SecureServer {
  setSecureContext(options: SecureContextOptions): void;
  once(event: "close", listener: () => void): unknown;
}

/** The certificates of this process, for as many servers as it has. */
export interface TlsKeeper {
  /** For a new server; hand the server to `follow` then. */
  readonly serverOptions: TlsServerOptions;
  /** New connections to the server use whatever was read last, until it closes. */
  follow(server: SecureServer): void;
  /** Reads the files again. Bad ones are logged, and what was read before stays. Never throws. */
  reload(): Promise<void>;
  /** Looks every so often whether the files have changed. */
  start(): void;
  stop(): void;
}

/** The certificates cannot be used; the message names the file. */
export class TlsFilesError extends Error {
  override readonly name = "TlsFilesError";
}

const DEFAULT_POLL_MS = 5_000;

/**
 * Reads the files for the first time.
 *
 * @throws TlsFilesError
 */
export async function openTlsKeeper(
  settings: TlsSettings,
  { logger, pollMs = DEFAULT_POLL_MS }: { readonly logger: Logger; readonly pollMs?: number },
): Promise<TlsKeeper> {
  const servers = new Set<SecureServer>();
  let current = await readOptions(settings);
  let timer: NodeJS.Timeout | undefined;
  /** What was last complained of, so that it is logged once and not at every look. */
  let complaint = "";
  logCertificate(current, logger, "certificate loaded");

  async function reload(): Promise<void> {
    try {
      const read = await readOptions(settings);
      complaint = "";
      if (isSame(read, current)) return;
      current = read;
      for (const server of servers) server.setSecureContext(current);
      logCertificate(current, logger, "certificate changed; new connections use it");
    } catch (error) {
      if (String(error) === complaint) return;
      complaint = String(error);
      logger.error({ err: error }, "certificate files are bad; the ones before stay in use");
    }
  }

  return {
    get serverOptions() {
      return current;
    },
    follow(server) {
      servers.add(server);
      server.once("close", () => servers.delete(server));
    },
    reload,
    start() {
      // Polling sees what a watch misses: links that are switched, and files on network mounts.
      timer = setInterval(() => void reload(), pollMs);
      timer.unref();
    },
    stop: () => clearInterval(timer),
  };
}

/** @throws TlsFilesError */
async function readOptions(settings: TlsSettings): Promise<TlsServerOptions> {
  const { certFile, keyFile, clientCaFile, requireClientCertificate } = settings;
  const cert = await readPem(certFile, (pem) => new X509Certificate(pem));
  const key = await readPem(keyFile, createPrivateKey);
  const ca =
    clientCaFile === undefined
      ? undefined
      : await readPem(clientCaFile, (pem) => new X509Certificate(pem));
  const options = {
    cert,
    key,
    ...(ca === undefined ? {} : { ca }),
    minVersion: "TLSv1.2",
    // A resumed session would be let in by a CA that has been taken away since.
    secureOptions: constants.SSL_OP_NO_TICKET,
    requestCert: ca !== undefined,
    rejectUnauthorized: ca !== undefined && requireClientCertificate,
  } as const;
  try {
    createSecureContext(options);
  } catch (cause) {
    throw new TlsFilesError(`${certFile} and ${keyFile} do not belong together`, { cause });
  }
  return options;
}

async function readPem(path: string, parse: (pem: Buffer) => unknown): Promise<Buffer> {
  const pem = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    throw new TlsFilesError(`cannot read ${path}: ${cause.code}`, { cause });
  });
  try {
    parse(pem);
  } catch (cause) {
    throw new TlsFilesError(`${path} does not hold what it should, in PEM`, { cause });
  }
  return pem;
}

function isSame(one: TlsServerOptions, other: TlsServerOptions): boolean {
  return (["cert", "key", "ca"] as const).every(
    (name) => String(one[name]) === String(other[name]),
  );
}

function logCertificate({ cert }: TlsServerOptions, logger: Logger, message: string): void {
  const { subjectAltName, validTo } = new X509Certificate(cert as Buffer);
  logger.info({ names: subjectAltName, validTo }, message);
}
