import { copyFile, writeFile } from "node:fs/promises";
import { connect, type SecureVersion } from "node:tls";
import { expect } from "chai";
import { Code } from "../../gen/google/rpc/code_pb.js";
import { QuotaChecker } from "../../gen/tally/v1/quota_checker_pb.js";
import { createGrpcClient } from "../../src/client/grpc-client.js";
import { implement } from "../../src/server/handler.js";
import { openTlsKeeper, TlsFilesError, type TlsKeeper } from "../../src/server/tls.js";
import {
  type CertificateAuthority,
  createAuthority,
  type IssuedCertificate,
} from "../support/certificates.js";
import { rpcFailure } from "../support/rpc-failure.js";
import {
  createTemporaryDirectory,
  type TemporaryDirectory,
} from "../support/temporary-directory.js";
import {
  createGate,
  type LogLine,
  recordingLogger,
  startTestServer,
  type TestServer,
} from "./test-server.js";

describe("TLS on the gRPC port", () => {
  let folder: TemporaryDirectory;
  let ca: CertificateAuthority;
  let otherCa: CertificateAuthority;
  let first: IssuedCertificate;
  let second: IssuedCertificate;
  let keeper: TlsKeeper;
  let server: TestServer;
  let lines: LogLine[];
  let answer: () => Promise<void>;

  const files = () => ({
    certFile: `${folder.path}/live.pem`,
    keyFile: `${folder.path}/live.key`,
    clientCaFile: undefined,
    requireClientCertificate: false,
  });

  before(async () => {
    folder = await createTemporaryDirectory();
    ca = await createAuthority(folder.path, "ca");
    otherCa = await createAuthority(folder.path, "other-ca");
    first = await ca.issue("first", ["IP:127.0.0.1", "DNS:first.corp"]);
    second = await otherCa.issue("second", ["IP:127.0.0.1", "DNS:second.corp"]);
  });
  after(() => folder.remove());

  beforeEach(async () => {
    await install(first);
    const recording = recordingLogger();
    lines = recording.lines;
    keeper = await openTlsKeeper(files(), { logger: recording.logger, pollMs: 20 });
    answer = async () => {};
    const checkQuota = async () => {
      await answer();
      return { allowed: true };
    };
    server = await startTestServer({
      services: [implement(QuotaChecker, { checkQuota })],
      tls: keeper,
    });
  });
  afterEach(async () => {
    keeper.stop();
    await server.stop();
  });

  async function install({ certFile, keyFile }: IssuedCertificate): Promise<void> {
    await copyFile(certFile, files().certFile);
    await copyFile(keyFile, files().keyFile);
  }

  /** A client that trusts the authority. */
  function trusting({ cert }: CertificateAuthority) {
    return createGrpcClient(QuotaChecker, server.address, { tls: { ca: cert }, timeoutMs: 5_000 });
  }

  async function isTrusted(authority: CertificateAuthority): Promise<boolean> {
    const client = trusting(authority);
    try {
      return (await client.checkQuota({ userId: "u" })).allowed;
    } catch {
      return false;
    } finally {
      client.close();
    }
  }

  it("answers clients that trust its CA, and no others", async () => {
    expect(await isTrusted(ca)).to.equal(true);
    const stranger = trusting(otherCa);
    const error = await rpcFailure(stranger.checkQuota({ userId: "u" }));
    expect(error.code).to.equal(Code.UNAVAILABLE);
    stranger.close();
  });

  it("does not answer without encryption", async () => {
    const error = await rpcFailure(server.quota.checkQuota({ userId: "u" }, { timeoutMs: 2_000 }));
    expect(error.code).to.be.oneOf([Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED]);
  });

  const versions: [SecureVersion, boolean][] = [
    ["TLSv1.1", false],
    ["TLSv1.2", true],
    ["TLSv1.3", true],
  ];
  for (const [version, isSpoken] of versions) {
    it(`${isSpoken ? "speaks" : "refuses"} ${version}`, async () => {
      const protocol = await new Promise<string | null>((resolve) => {
        const socket = connect({
          port: server.port,
          host: "127.0.0.1",
          ca: ca.cert,
          ALPNProtocols: ["h2"],
          minVersion: version,
          maxVersion: version,
          // Security level 0 lets the client offer what is obsolete.
          ciphers: "DEFAULT@SECLEVEL=0",
        });
        socket.once("secureConnect", () => {
          resolve(socket.getProtocol());
          socket.destroy();
        });
        socket.once("error", () => resolve(null));
      });
      expect(protocol).to.equal(isSpoken ? version : null);
    });
  }

  it("uses new files for new connections, and drops no call", async () => {
    const gate = createGate();
    let isReached = () => {};
    const reached = new Promise<void>((resolve) => {
      isReached = resolve;
    });
    answer = () => {
      isReached();
      return gate.opened;
    };
    const client = trusting(ca);
    const pending = client.checkQuota({ userId: "u" });
    await reached;
    await install(second);
    await keeper.reload();
    gate.open();
    expect((await pending).allowed).to.equal(true);
    expect((await client.checkQuota({ userId: "u" })).allowed).to.equal(true);
    client.close();
    expect(await isTrusted(ca)).to.equal(false);
    expect(await isTrusted(otherCa)).to.equal(true);
  });

  it("notices by itself that files have changed", async () => {
    keeper.start();
    await install(second);
    const deadlineMs = Date.now() + 10_000;
    while (!(await isTrusted(otherCa))) expect(Date.now()).to.be.lessThan(deadlineMs);
  });

  it("keeps what it has while the files are bad, and says so once", async () => {
    for (const spoil of [
      () => writeFile(files().certFile, "no certificate"),
      () => copyFile(second.certFile, files().certFile),
    ]) {
      await spoil();
      const before = lines.length;
      await keeper.reload();
      await keeper.reload();
      const complaints = lines.slice(before).filter(({ level }) => level === "error");
      expect(complaints).to.have.lengthOf(1);
      expect(complaints[0]?.msg).to.equal("certificate files are bad; the ones before stay in use");
      expect(JSON.stringify(complaints)).to.include("live.pem").and.not.include("PRIVATE KEY");
      expect(await isTrusted(ca)).to.equal(true);
    }
    await install(second);
    await keeper.reload();
    expect(await isTrusted(otherCa)).to.equal(true);
  });

  it("does not open what cannot be used", async () => {
    const { logger } = recordingLogger();
    const bad: [object, RegExp][] = [
      [{ certFile: `${folder.path}/none.pem` }, /^cannot read .*none\.pem: ENOENT$/],
      [{ keyFile: first.certFile }, /^.*first\.pem does not hold what it should, in PEM$/],
      [{ keyFile: second.keyFile }, /do not belong together$/],
      [{ clientCaFile: first.keyFile }, /^.*first\.key does not hold what it should, in PEM$/],
    ];
    for (const [change, message] of bad) {
      const error = await openTlsKeeper({ ...files(), ...change }, { logger }).catch(
        (caught: unknown) => caught,
      );
      expect(error).to.be.instanceOf(TlsFilesError);
      expect((error as Error).message).to.match(message);
    }
  });
});
