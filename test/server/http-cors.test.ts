import { expect } from "chai";
import { type HttpTestServer, postJson, startHttpServer } from "./http-test-server.js";

const ALLOWED = "https://dash.corp";
const CHECK_QUOTA = "/tally.v1.QuotaChecker/CheckQuota";

describe("web pages that call the HTTP port", () => {
  const servers: HttpTestServer[] = [];
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.stop();
  });

  async function start(allowedOrigins: string[], isIdentityRequired = false) {
    const checkQuota = () => ({ allowed: true });
    const options = { allowedOrigins, isIdentityRequired };
    const server = await startHttpServer({ quota: { checkQuota } }, options);
    servers.push(server);
    return server;
  }

  function call({ url }: HttpTestServer, origin: string): Promise<Response> {
    return postJson(url + CHECK_QUOTA, '{"userId":"a"}', { origin });
  }

  function preflight({ url }: HttpTestServer, origin: string): Promise<Response> {
    return fetch(url + CHECK_QUOTA, {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,authorization",
      },
    });
  }

  it("may when their origin is allowed", async () => {
    const server = await start([ALLOWED]);
    const asked = await preflight(server, ALLOWED);
    expect(asked.status).to.equal(204);
    expect(asked.headers.get("access-control-allow-origin")).to.equal(ALLOWED);
    expect(asked.headers.get("access-control-allow-methods")).to.include("POST");
    const headers = asked.headers.get("access-control-allow-headers")?.toLowerCase();
    for (const name of ["content-type", "authorization", "connect-timeout-ms", "x-grpc-web"]) {
      expect(headers).to.include(name);
    }
    const answer = await call(server, ALLOWED);
    expect(answer.status).to.equal(200);
    expect(answer.headers.get("access-control-allow-origin")).to.equal(ALLOWED);
    expect(answer.headers.get("access-control-expose-headers")?.toLowerCase()).to.include(
      "grpc-status-details-bin",
    );
    expect(answer.headers.get("vary")).to.equal("Origin");
  });

  it("may all with *", async () => {
    const server = await start(["*"], true);
    expect((await preflight(server, "http://any.where")).status).to.equal(204);
    expect((await call(server, "http://any.where")).status).to.equal(200);
  });

  it("may not by default, and learn nothing", async () => {
    const server = await start([]);
    const asked = await preflight(server, ALLOWED);
    expect(asked.status).to.equal(403);
    expect(asked.headers.get("access-control-allow-origin")).to.equal(null);
    // Without this, any page in a browser on this machine could spend: nobody is asked who calls.
    expect((await call(server, ALLOWED)).status).to.equal(403);
  });

  it("may come from the port itself by a loopback name, and by no other", async () => {
    const server = await start([]);
    expect((await call(server, server.url)).status).to.equal(200);
    const rebound = await rawPost(server.port, "evil.example", "http://evil.example");
    expect(rebound).to.match(/^HTTP\/1\.1 403 /);
    const own = await rawPost(server.port, "localhost", "http://localhost");
    expect(own).to.match(/^HTTP\/1\.1 200 /);
  });

  it("are judged by their token where callers must have one", async () => {
    const server = await start([], true);
    const answer = await call(server, ALLOWED);
    expect(answer.status).to.equal(200);
    expect(answer.headers.get("access-control-allow-origin")).to.equal(null);
  });
});

/** Posts with any Host, which fetch sets by itself. */
async function rawPost(port: number, host: string, origin: string): Promise<string> {
  const { connect } = await import("node:net");
  const socket = connect(port, "127.0.0.1");
  const body = '{"userId":"a"}';
  socket.write(
    `POST ${CHECK_QUOTA} HTTP/1.1\r\nhost: ${host}\r\norigin: ${origin}\r\nconnection: close\r\n` +
      `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  let text = "";
  for await (const chunk of socket) text += chunk;
  return text;
}
