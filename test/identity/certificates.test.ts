import { type ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { expect } from "chai";
import { Code } from "../../gen/google/rpc/code_pb.js";
import { Role } from "../../gen/tally/v1/access_pb.js";
import { Identity } from "../../gen/tally/v1/identity_pb.js";
import { Operations } from "../../gen/tally/v1/operations_pb.js";
import type { GrpcClient } from "../../src/client/grpc-client.js";
import {
  type CertificateAuthority,
  createAuthority,
  type IssuedCertificate,
} from "../support/certificates.js";
import { eventually } from "../support/eventually.js";
import { rpcFailure } from "../support/rpc-failure.js";
import {
  createTemporaryDirectory,
  type TemporaryDirectory,
} from "../support/temporary-directory.js";
import { type SecuredApp, startSecuredApp } from "./secured-app.js";

describe("client certificates", () => {
  let folder: TemporaryDirectory;
  let ca: CertificateAuthority;
  let known: IssuedCertificate;
  let foreign: IssuedCertificate;
  let serverCertificate: IssuedCertificate;
  let secured: SecuredApp;
  let admin: GrpcClient<typeof Identity>;
  let adminToken: string;

  const SAN = "URI:spiffe://corp/gateway";

  before(async () => {
    folder = await createTemporaryDirectory();
    ca = await createAuthority(folder.path, "ca");
    serverCertificate = await ca.issue("server", ["IP:127.0.0.1"]);
    known = await ca.issue("gateway", ["DNS:gw.corp", SAN, "email:ops@corp"]);
    const other = await createAuthority(folder.path, "other");
    foreign = await other.issue("foreign", ["DNS:gw.corp", SAN]);
    secured = await start({});
    adminToken = (await secured.issue("admin", { name: "root" })).secret;
    admin = secured.client(Identity, { token: adminToken, tls: { ca: ca.cert } });
    await eventually("the server knows the first token", () =>
      admin.listTokens({}).then(
        () => true,
        () => false,
      ),
    );
  });
  after(async () => {
    await secured.stop();
    await folder.remove();
  });

  function start(env: Record<string, string>): Promise<SecuredApp> {
    return startSecuredApp({
      env: {
        TALLY_TLS_CERT: serverCertificate.certFile,
        TALLY_TLS_KEY: serverCertificate.keyFile,
        TALLY_TLS_CLIENT_CA: ca.certFile,
        ...env,
      },
    });
  }

  function callerWith(certificate: IssuedCertificate | undefined, token?: string, at = secured) {
    return at.client(Operations, {
      tls: { ca: ca.cert, ...(certificate ? { certificate } : {}) },
      ...(token === undefined ? {} : { token }),
    });
  }

  for (const httpVersion of ["1.1", "2"] as const) {
    it(`are known on the HTTP port by HTTP/${httpVersion}, too`, async () => {
      await admin.mapCertificate({ subjectAlternativeName: SAN, name: "gw", role: Role.GATEWAY });
      const codeWith = (certificate?: IssuedCertificate) => {
        const { cert, key } = certificate ?? {};
        const nodeOptions = { ca: ca.cert, ...(cert && key ? { cert, key } : {}) };
        const baseUrl = `https://${secured.app.httpAddress}`;
        const transport = createConnectTransport({ baseUrl, httpVersion, nodeOptions });
        return createClient(Operations, transport)
          .getServerInfo({})
          .then(
            () => undefined,
            ({ code }: ConnectError) => code,
          );
      };
      await eventually("the mapping counts", async () => (await codeWith(known)) === undefined);
      for (const stranger of [undefined, foreign]) {
        expect(await codeWith(stranger)).to.equal(Code.UNAUTHENTICATED);
      }
    });
  }

  afterEach(async () => {
    const { mappings } = await admin.listCertificateMappings({});
    for (const { subjectAlternativeName } of mappings) {
      await admin.unmapCertificate({ subjectAlternativeName });
    }
  });

  for (const name of ["DNS:gw.corp", SAN, "email:ops@corp"]) {
    it(`let in who has ${name} in it, once that is mapped, until it is not`, async () => {
      const caller = callerWith(known);
      const before = await rpcFailure(caller.getServerInfo({}));
      expect(before.code).to.equal(Code.UNAUTHENTICATED);
      expect(before.reason).to.equal("CREDENTIALS_INVALID");
      const mapping = { subjectAlternativeName: name, name: "gw", role: Role.GATEWAY };
      await admin.mapCertificate(mapping);
      expect((await caller.getServerInfo({})).version).to.be.a("string");
      expect((await rpcFailure(caller.verifyLedger({}))).reason).to.equal("PERMISSION_DENIED");
      await admin.mapCertificate({ ...mapping, role: Role.OPERATOR });
      expect((await caller.verifyLedger({})).driftCount).to.equal(0n);
      expect(await admin.unmapCertificate(mapping)).to.have.property("removed", true);
      expect((await rpcFailure(caller.getServerInfo({}))).reason).to.equal("CREDENTIALS_INVALID");
    });
  }

  it("from another CA count for nothing, whatever stands in them", async () => {
    await admin.mapCertificate({ subjectAlternativeName: SAN, name: "gw", role: Role.GATEWAY });
    const error = await rpcFailure(callerWith(foreign).getServerInfo({}));
    expect(error.reason).to.equal("CREDENTIALS_MISSING");
  });

  it("are not needed with a token, and do not help a bad one", async () => {
    await admin.mapCertificate({ subjectAlternativeName: SAN, name: "gw", role: Role.GATEWAY });
    await callerWith(undefined, adminToken).getServerInfo({});
    const error = await rpcFailure(callerWith(known, "bad").getServerInfo({}));
    expect(error.reason).to.equal("CREDENTIALS_INVALID");
  });

  it("are needed from everybody where that is the setting", async () => {
    const strict = await start({ TALLY_TLS_CLIENT_CERTIFICATES: "required" });
    try {
      const { secret } = await strict.issue("gateway");
      const ask = (certificate: IssuedCertificate | undefined) =>
        callerWith(certificate, secret, strict).getServerInfo({});
      await eventually("the server knows the token", () =>
        ask(known).then(
          () => true,
          () => false,
        ),
      );
      for (const certificate of [undefined, foreign]) {
        expect((await rpcFailure(ask(certificate))).code).to.equal(Code.UNAVAILABLE);
      }
    } finally {
      await strict.stop();
    }
  });

  it("are mapped by names of three kinds, without wildcards of any sense", async () => {
    const bad = [
      "gw.corp",
      "IP:10.0.0.1",
      "DNS:",
      "DNS:a b",
      'DNS:"a"',
      "DNS:a,DNS:b",
      "DNS:*.corp",
    ];
    for (const subjectAlternativeName of bad) {
      const request = { subjectAlternativeName, name: "n", role: Role.GATEWAY };
      const error = await rpcFailure(admin.mapCertificate(request));
      const fields = error.details.badRequest?.fieldViolations.map(({ field }) => field);
      expect(fields, subjectAlternativeName).to.deep.equal(["subject_alternative_name"]);
    }
  });

  it("are listed with what they mean", async () => {
    const mapping = { name: "alice's", role: Role.ANALYST, boundUserId: "alice" };
    for (const subjectAlternativeName of ["DNS:b", "DNS:a"]) {
      await admin.mapCertificate({ ...mapping, subjectAlternativeName });
    }
    const first = await admin.listCertificateMappings({ pageSize: 1 });
    const { nextPageToken: pageToken } = first;
    const second = await admin.listCertificateMappings({ pageSize: 1, pageToken });
    const [a, b] = [...first.mappings, ...second.mappings];
    expect(a).to.include({ ...mapping, subjectAlternativeName: "DNS:a", updatedBy: "root" });
    expect(b).to.include({ ...mapping, subjectAlternativeName: "DNS:b" });
    expect(second.nextPageToken).to.equal("");
  });
});
