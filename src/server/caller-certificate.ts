import type { TLSSocket } from "node:tls";
import type { CallerCertificate } from "../caller.js";

/** Where a connection keeps what its certificate says: reading it anew takes tens of microseconds. */
const CERTIFICATE = Symbol("caller certificate");

type MarkedSocket = TLSSocket & { [CERTIFICATE]?: CallerCertificate };

/** Names that say who somebody is. Those in quotes hold what could be taken for a second name. */
const NAME = /(?:^|, )(DNS|URI|email):([^",\s]+)(?=, |$)/g;

/** Notes what the certificate of a new connection says, if it comes from a CA that we trust. */
export function noteCertificate(socket: TLSSocket): void {
  if (!socket.authorized) return;
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return;
  const names = parseNames(certificate.subjectAltName ?? "");
  (socket as MarkedSocket)[CERTIFICATE] = { names, expireTimeMs: Date.parse(certificate.validTo) };
}

/** What was noted of the connection. */
export function notedCertificate(socket: object | undefined): CallerCertificate | undefined {
  return (socket as MarkedSocket | undefined)?.[CERTIFICATE];
}

/** "DNS:a.corp", "URI:spiffe://corp/a" and "email:a@corp" of Node's text of all names. */
export function parseNames(subjectAltName: string): string[] {
  // A quoted name is replaced first, so that nothing inside of it can match.
  const plain = subjectAltName.replace(/"(?:[^"\\]|\\.)*"/g, '""');
  return [...plain.matchAll(NAME)].map(([, kind, name]) => `${kind}:${name}`);
}
