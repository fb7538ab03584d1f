import { expect } from "chai";
import { parseRedisUrl } from "../../src/cache/redis-address.js";

const NOTHING = {
  mode: "single",
  isTls: false,
  username: "",
  password: "",
  database: 0,
  masterName: "",
  sentinelUsername: "",
  sentinelPassword: "",
};

describe("parseRedisUrl", () => {
  const node = (host: string, port: number) => ({ host, port });
  const READ: readonly (readonly [string, object])[] = [
    ["redis://localhost", { nodes: [node("localhost", 6_379)] }],
    ["rediss://r:6390/2", { isTls: true, nodes: [node("r", 6_390)], database: 2 }],
    ["redis://:p%2Fw:d@r", { password: "p/w:d", nodes: [node("r", 6_379)] }],
    ["redis://u:p@[::1]:1", { username: "u", password: "p", nodes: [node("::1", 1)] }],
    [
      "redis+sentinel://:p@a,b:2/my%2Fmain/4?sentinel_username=s&sentinel_password=t",
      {
        mode: "sentinel",
        password: "p",
        nodes: [node("a", 26_379), node("b", 2)],
        masterName: "my/main",
        database: 4,
        sentinelUsername: "s",
        sentinelPassword: "t",
      },
    ],
    [
      "rediss+cluster://a:1,b",
      { mode: "cluster", isTls: true, nodes: [node("a", 1), node("b", 6_379)] },
    ],
  ];
  for (const [url, expected] of READ) {
    it(`reads ${url}`, () => {
      expect(parseRedisUrl(url)).to.deep.equal({ ...NOTHING, ...expected });
    });
  }

  for (const url of [
    "",
    "localhost:6379",
    "http://localhost",
    "redis://",
    "redis://a,b",
    "redis://a:0",
    "redis://a:65536",
    "redis://a/x",
    "redis://a/1/2",
    "redis://a?db=1",
    "redis://%zz@a",
    "redis+sentinel://a",
    "redis+sentinel://a/main/0/1",
    "redis+cluster://a/1",
    "redis+other://a",
  ]) {
    it(`refuses ${JSON.stringify(url)}`, () => {
      expect(parseRedisUrl(url)).to.equal(undefined);
    });
  }
});
