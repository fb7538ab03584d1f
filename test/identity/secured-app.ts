import { randomBytes } from "node:crypto";
import type { DescService } from "@bufbuild/protobuf";
import { v7 as uuidV7 } from "uuid";
import type { Role } from "../../src/caller.js";
import {
  type ClientCredentials,
  createGrpcClient,
  type GrpcClient,
} from "../../src/client/grpc-client.js";
import { createTokenMaker, type IssuedToken } from "../../src/identity/token-maker.js";
import { createTokenStore } from "../../src/identity/token-store.js";
import { startTestApp, type TestApp, type TestAppOptions } from "../support/app.js";

/** What a token is made with; the rest has defaults. */
export interface TokenInit {
  readonly name?: string;
  readonly boundUserId?: string;
  readonly expireTimeMs?: number;
}

/** Tally that wants to know who calls. */
export interface SecuredApp {
  readonly app: TestApp;
  /** Makes a token in the database, as `tally token create --bootstrap` does. */
  issue(role: Role, init?: TokenInit): Promise<IssuedToken>;
  /** A client with the credentials; closed with the app. */
  client<S extends DescService>(service: S, credentials?: ClientCredentials): GrpcClient<S>;
  stop(): Promise<void>;
}

/** Starts it on a database of its own, or on another's. */
export async function startSecuredApp(options: TestAppOptions = {}): Promise<SecuredApp> {
  const app = await startTestApp({ ...options, env: { TALLY_AUTH: "required", ...options.env } });
  const store = createTokenStore(app.database);
  const maker = createTokenMaker({ store, makeTokenId: () => uuidV7(), randomBytes });
  const clients: { close(): void }[] = [];
  return {
    app,
    issue: (role, { name = role, boundUserId, expireTimeMs } = {}) =>
      maker.create({ name, role, boundUserId, expireTimeMs, createdBy: "test" }),
    client(service, credentials = {}) {
      const client = createGrpcClient(service, app.address, credentials);
      clients.push(client);
      return client;
    },
    async stop() {
      for (const client of clients) client.close();
      await app.stop();
    },
  };
}
