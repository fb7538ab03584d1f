import { expect } from "chai";
import { Code } from "../../gen/google/rpc/code_pb.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { eventually } from "../support/eventually.js";
import { rpcFailure } from "../support/rpc-failure.js";
import { uniqueId } from "../support/unique-id.js";
import { KIND_NAMES, type KindCalls, kindCalls } from "./kinds.js";

describe("Catalog entries, one by one", () => {
  let app: TestApp;
  let kinds: ReadonlyMap<string, KindCalls>;

  before(async () => {
    app = await startTestApp();
    kinds = new Map(kindCalls(app).map((kind) => [kind.name, kind]));
    await app.apply({ users: [{ userId: "owner" }], providers: [{ provider: "base" }] });
  });
  after(() => app.stop());

  for (const name of KIND_NAMES) {
    describe(name, () => {
      let kind: KindCalls;
      /** What identifies an entry in get and delete. */
      let keyOf: (id: string) => Record<string, unknown>;

      before(() => {
        kind = kinds.get(name)!;
        keyOf = (id) => ({
          [kind.id]: id,
          ...(name === "ModelPrice" && { provider: kind.needs.provider }),
        });
      });

      const entryOf = (id: string) => ({ ...kind.needs, [kind.id]: id });

      it("is created, read, changed and removed", async () => {
        const id = uniqueId(name);
        const created = await kind.create(entryOf(id));
        expect(created).to.deep.include({ [kind.id]: id });
        expect(created.etag).to.match(/^[\w-]{16}$/);
        expect(created.createTime).to.deep.equal(created.updateTime);
        expect(await kind.get(keyOf(id))).to.deep.equal(created);

        const { field, value, path } = kind.change;
        const changed = await kind.update({ ...entryOf(id), [field]: value }, [path]);
        expect(changed[field]).to.not.deep.equal(created[field]);
        expect(changed.etag).to.not.equal(created.etag);
        expect(changed.createTime).to.deep.equal(created.createTime);
        expect(await kind.get(keyOf(id))).to.deep.equal(changed);

        await kind.remove(keyOf(id));
        for (const call of [kind.get, kind.remove]) {
          const error = await rpcFailure(call(keyOf(id)));
          expect([error.code, error.reason]).to.deep.equal([Code.NOT_FOUND, "RESOURCE_NOT_FOUND"]);
          expect(error.details.resourceInfo?.resourceType).to.equal(kind.type);
          expect(error.details.resourceInfo?.resourceName).to.contain(id);
        }
      });

      it("refuses an id that is there already, and leaves its entry as it was", async () => {
        const id = uniqueId(name);
        const created = await kind.create(entryOf(id));
        const { field, value } = kind.change;
        const error = await rpcFailure(kind.create({ ...entryOf(id), [field]: value }));
        expect(error.code).to.equal(Code.ALREADY_EXISTS);
        expect(error.reason).to.equal("RESOURCE_ALREADY_EXISTS");
        expect(error.details.resourceInfo?.resourceType).to.equal(kind.type);
        expect(await kind.get(keyOf(id))).to.deep.equal(created);
      });

      it("makes an id where it can, and asks for one where it cannot", async () => {
        if (kind.makesId) {
          const created = await kind.create(kind.needs);
          expect(created[kind.id]).to.match(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-/);
        } else {
          const error = await rpcFailure(kind.create(kind.needs));
          expect(error.code).to.equal(Code.INVALID_ARGUMENT);
        }
        expect((await rpcFailure(kind.update(kind.needs))).code).to.equal(Code.INVALID_ARGUMENT);
      });

      it("refuses the second of two writers who read the same state", async () => {
        const id = uniqueId(name);
        const { etag } = await kind.create(entryOf(id));
        const { field, value } = kind.change;
        const first = await kind.update({ ...entryOf(id), etag, [field]: value });
        for (const call of [
          () => kind.update({ ...entryOf(id), etag }),
          () => kind.remove({ ...keyOf(id), etag }),
        ]) {
          const error = await rpcFailure(call());
          expect([error.code, error.reason]).to.deep.equal([Code.ABORTED, "ETAG_MISMATCH"]);
        }
        expect(await kind.get(keyOf(id))).to.deep.equal(first);
        await kind.remove({ ...keyOf(id), etag: first.etag });
      });

      it("keeps its etag when nothing changes", async () => {
        const id = uniqueId(name);
        const created = await kind.create(entryOf(id));
        expect(await kind.update(entryOf(id), ["*"])).to.deep.equal(created);
      });

      it("names every path of a mask that is none", async () => {
        const id = uniqueId(name);
        await kind.create(entryOf(id));
        const paths = ["nonsense", kind.change.path, "etag.x"];
        const error = await rpcFailure(kind.update(entryOf(id), paths));
        expect(error.code).to.equal(Code.INVALID_ARGUMENT);
        const violations = error.details.badRequest?.fieldViolations ?? [];
        expect(violations.map(({ field }) => field)).to.deep.equal([
          "update_mask.paths[0]",
          "update_mask.paths[2]",
        ]);
        expect(violations[0]?.description).to.contain('"nonsense"');
      });

      it("refuses ids that PostgreSQL cannot store, without asking it", async () => {
        const id = "nul\0nul";
        for (const call of [
          () => kind.get(keyOf(id)),
          () => kind.remove(keyOf(id)),
          () => kind.create(entryOf(id)),
          () => kind.update(entryOf(id)),
        ]) {
          expect((await rpcFailure(call())).code).to.equal(Code.INVALID_ARGUMENT);
        }
      });

      it("is listed in pages that neither repeat nor leave out what was there all along", async () => {
        const prefix = uniqueId(`list-${name}`);
        const ids = [1, 2, 3, 4, 5].map((number) => `${prefix}-${number}`);
        for (const id of ids) await kind.create(entryOf(id));
        const seen: unknown[] = [];
        let pageToken = "";
        do {
          const { items, token } = await kind.list({ pageSize: 2, pageToken });
          expect(items.length).to.be.most(2);
          seen.push(...items.map((item) => item[kind.id]));
          // Both sides of where the page ended.
          await kind.create(entryOf(`${prefix}-0-${seen.length}`));
          await kind.create(entryOf(`${prefix}-9-${seen.length}`)).catch(() => undefined);
          pageToken = seen.length > 500 ? "" : token;
        } while (pageToken !== "" && !seen.includes(ids[4]));
        expect(seen.filter((id) => ids.includes(String(id)))).to.deep.equal(ids);
        expect([...new Set(seen)]).to.deep.equal(seen);
        expect(seen).to.deep.equal([...seen].sort());
      });
    });
  }

  it("shows a change to another replica's checks within a second", async () => {
    const other = await startTestApp({ replicaOf: app });
    try {
      const { catalog } = app.clients;
      const userId = uniqueId("replicated");
      const reasonAt = async ({ clients }: TestApp) =>
        (await clients.checker.checkQuota({ userId })).reason;
      const unknown = await reasonAt(other);
      await catalog.createUser({ user: { userId } });
      const here = await reasonAt(app);
      expect(here).to.not.equal(unknown);
      await eventually("created", async () => (await reasonAt(other)) === here, 1_000);
      await catalog.updateUser({
        user: { userId, active: false },
        updateMask: { paths: ["active"] },
      });
      const inactive = await reasonAt(app);
      expect(inactive).to.not.be.oneOf([here, unknown]);
      await eventually("changed", async () => (await reasonAt(other)) === inactive, 1_000);
      await catalog.deleteUser({ userId });
      expect(await reasonAt(app)).to.equal(unknown);
      await eventually("removed", async () => (await reasonAt(other)) === unknown, 1_000);
    } finally {
      await other.stop();
    }
  });
});
