import { timestampDate, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect } from "chai";
import { Code } from "../../gen/google/rpc/code_pb.js";
import { Health } from "../../gen/grpc/health/v1/health_pb.js";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.js";
import { Role } from "../../gen/tally/v1/access_pb.js";
import { Identity } from "../../gen/tally/v1/identity_pb.js";
import { Operations } from "../../gen/tally/v1/operations_pb.js";
import type { GrpcClient } from "../../src/client/grpc-client.js";
import { eventually } from "../support/eventually.js";
import { rpcFailure } from "../support/rpc-failure.js";
import { type SecuredApp, startSecuredApp } from "./secured-app.js";

describe("tokens", () => {
  let secured: SecuredApp;
  let admin: GrpcClient<typeof Identity>;

  before(async () => {
    secured = await startSecuredApp();
    const { secret } = await secured.issue("admin", { name: "root" });
    admin = secured.client(Identity, { token: secret });
    await eventually("the server knows the first token", () => isKnown(secret));
  });
  after(() => secured.stop());

  /** Whether the server lets the bearer in. */
  async function isKnown(token: string, at = secured): Promise<boolean> {
    const client = at.client(Operations, { token });
    return client.getServerInfo({}).then(
      () => true,
      () => false,
    );
  }

  async function refusalOf(token: string | undefined) {
    const client = secured.client(Operations, token === undefined ? {} : { token });
    return rpcFailure(client.getServerInfo({}));
  }

  async function create(name: string, fields: object = {}) {
    const { token, secret } = await admin.createToken({ name, role: Role.GATEWAY, ...fields });
    return { tokenId: token!.tokenId, token: token!, secret };
  }

  it("let their bearer in from the moment that they are made", async () => {
    const { secret, token } = await create("new");
    expect(await isKnown(secret)).to.equal(true);
    expect(token).to.include({ name: "new", role: Role.GATEWAY, createdBy: "root" });
    expect(secret).to.match(/^tally_[A-Za-z0-9_-]{43}$/);
  });

  it("are stored as hashes only, and shown without secrets", async () => {
    const { secret, tokenId } = await create("hidden");
    const { rows } = await secured.app.database.knex.raw(
      "select to_jsonb(t) as t from access_tokens t",
    );
    const stored = JSON.stringify(rows);
    expect(stored).to.include(tokenId).and.not.include(secret.slice("tally_".length));
    const listed = await admin.listTokens({});
    expect(listed.tokens.map(({ name }) => name)).to.include("hidden");
    expect(Object.keys(listed.tokens[0]!)).not.to.include("secret");
  });

  it("are asked for, with the reason why one will not do", async () => {
    const { secret } = await create("real");
    const refusals: [string | undefined, string][] = [
      [undefined, "CREDENTIALS_MISSING"],
      ["letmein", "CREDENTIALS_INVALID"],
      [`tally_${"A".repeat(43)}`, "CREDENTIALS_INVALID"],
      [`${secret}A`, "CREDENTIALS_INVALID"],
      [secret.slice(0, -1), "CREDENTIALS_INVALID"],
    ];
    for (const [token, reason] of refusals) {
      const error = await refusalOf(token);
      expect(error.code, String(token)).to.equal(Code.UNAUTHENTICATED);
      expect(error.reason, String(token)).to.equal(reason);
      expect(error.message).not.to.include(secret);
    }
  });

  it("are taken with any case of the scheme, but with no other scheme", async () => {
    const { secret } = await create("scheme");
    const client = secured.client(Operations);
    for (const authorization of [`bearer ${secret}`, `BEARER  ${secret}`]) {
      await client.getServerInfo({}, { headers: { authorization } });
    }
    for (const authorization of [secret, `Basic ${secret}`, `Bearer ${secret} x`]) {
      const error = await rpcFailure(client.getServerInfo({}, { headers: { authorization } }));
      expect(error.reason).to.equal("CREDENTIALS_INVALID");
    }
  });

  it("end when they expire", async () => {
    const { secret } = await secured.issue("gateway", { expireTimeMs: Date.now() - 1 });
    await eventually("the server knows the token", async () => {
      return (await refusalOf(secret)).reason === "CREDENTIALS_EXPIRED";
    });
    const past = { name: "p", role: Role.GATEWAY, expireTime: timestampFromMs(Date.now() - 1_000) };
    const error = await rpcFailure(admin.createToken(past));
    expect(error.details.badRequest?.fieldViolations[0]?.field).to.equal("expire_time");
  });

  it("end at once when they are revoked, and for good", async () => {
    const { secret, tokenId } = await create("doomed");
    const first = await admin.revokeToken({ tokenId });
    expect((await refusalOf(secret)).reason).to.equal("CREDENTIALS_INVALID");
    const second = await admin.revokeToken({ tokenId });
    expect(second.token?.revokeTime).to.deep.equal(first.token?.revokeTime);
    expect((await rpcFailure(admin.rotateToken({ tokenId }))).reason).to.equal("TOKEN_NOT_FOUND");
    const names = async (includeRevoked: boolean) =>
      (await admin.listTokens({ includeRevoked })).tokens.map(({ name }) => name);
    expect(await names(false)).not.to.include("doomed");
    expect(await names(true)).to.include("doomed");
  });

  it("keep their old secret for the grace period when they are rotated", async () => {
    const { secret: first, tokenId } = await create("rotating");
    const { secret: second, token } = await admin.rotateToken({ tokenId });
    expect(second).not.to.equal(first);
    const graceMs = timestampDate(token!.previousExpireTime!).getTime() - Date.now();
    expect(graceMs).to.be.closeTo(3_600_000, 60_000);
    expect([await isKnown(first), await isKnown(second)]).to.deep.equal([true, true]);
    const { secret: third } = await admin.rotateToken({ tokenId, gracePeriod: { seconds: 0n } });
    expect((await refusalOf(first)).reason).to.equal("CREDENTIALS_INVALID");
    expect((await refusalOf(second)).reason).to.equal("CREDENTIALS_EXPIRED");
    expect(await isKnown(third)).to.equal(true);
    await admin.revokeToken({ tokenId });
    expect(await isKnown(third)).to.equal(false);
  });

  it("are listed in pages, oldest first", async () => {
    const names: string[] = [];
    let pageToken = "";
    do {
      const page = await admin.listTokens({ includeRevoked: true, pageSize: 2, pageToken });
      expect(page.tokens.length).to.be.within(1, 2);
      names.push(...page.tokens.map(({ name }) => name));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    const all = await admin.listTokens({ includeRevoked: true });
    expect(names).to.deep.equal(all.tokens.map(({ name }) => name));
    expect(names[0]).to.equal("root");
  });

  it("can be bound to a user for analysts only", async () => {
    const bound = { name: "b", boundUserId: "alice" };
    for (const role of [Role.GATEWAY, Role.OPERATOR, Role.ADMIN]) {
      const error = await rpcFailure(admin.createToken({ ...bound, role }));
      expect(error.details.badRequest?.fieldViolations[0]?.field).to.equal("bound_user_id");
    }
    const { token } = await admin.createToken({ ...bound, role: Role.ANALYST });
    expect(token?.boundUserId).to.equal("alice");
    expect((await rpcFailure(admin.createToken({ name: "n" }))).reason).to.equal("INVALID_FIELD");
  });

  it("do not exist under an id that nobody made", async () => {
    const calls = [
      () => admin.revokeToken({ tokenId: "x" }),
      () => admin.rotateToken({ tokenId: "x" }),
    ];
    for (const call of calls) {
      const error = await rpcFailure(call());
      expect(error.code).to.equal(Code.NOT_FOUND);
      expect(error.reason).to.equal("TOKEN_NOT_FOUND");
    }
  });

  it("end streams that they opened, with the next message", async () => {
    const { secret, tokenId } = await create("streaming");
    const reflection = secured.client(ServerReflection, { token: secret });
    const question = { messageRequest: { case: "listServices", value: "" } } as const;
    async function* questions() {
      yield question;
      await admin.revokeToken({ tokenId });
      yield question;
    }
    const answers = reflection.serverReflectionInfo(questions())[Symbol.asyncIterator]();
    expect((await answers.next()).done).to.equal(false);
    const error = await rpcFailure(answers.next());
    expect(error.reason).to.equal("CREDENTIALS_INVALID");
  });

  it("are not needed to ask for the server's health", async () => {
    const { status } = await secured.client(Health).check({ service: "" });
    expect(status).to.equal(1);
  });

  it("reach a second replica within a second, and so does their end", async () => {
    const replica = await startSecuredApp({ replicaOf: secured.app });
    try {
      const { secret, tokenId } = await create("travelling");
      await eventually("it is known", () => isKnown(secret, replica), 1_000);
      await admin.revokeToken({ tokenId });
      await eventually("it is over", async () => !(await isKnown(secret, replica)), 1_000);
    } finally {
      await replica.stop();
    }
  });

  it("remember their last use once the server has stopped", async () => {
    const replica = await startSecuredApp({ replicaOf: secured.app });
    const { secret, tokenId } = await create("used");
    await eventually("it is known", () => isKnown(secret, replica));
    await replica.stop();
    const { tokens } = await admin.listTokens({});
    const { lastUsedTime } = tokens.find((token) => token.tokenId === tokenId)!;
    expect(timestampDate(lastUsedTime!).getTime()).to.be.closeTo(Date.now(), 60_000);
  });
});
