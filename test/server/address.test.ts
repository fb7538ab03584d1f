import { expect } from "chai";
import {
  formatAddress,
  isLoopback,
  type ListenAddress,
  parseAddress,
} from "../../src/server/address.js";

describe("parseAddress", () => {
  const cases: [string, ListenAddress, string?][] = [
    ["127.0.0.1:50051", { host: "127.0.0.1", port: 50_051 }],
    ["localhost:0", { host: "localhost", port: 0 }],
    ["0.0.0.0:65535", { host: "0.0.0.0", port: 65_535 }],
    ["[::1]:50051", { host: "::1", port: 50_051 }],
    ["[::]:1", { host: "::", port: 1 }],
    ["unix:/run/tally.sock", { path: "/run/tally.sock" }],
    ["unix:///run/tally.sock", { path: "/run/tally.sock" }, "unix:/run/tally.sock"],
    ["unix:tally.sock", { path: "tally.sock" }],
  ];
  for (const [text, address, canonical = text] of cases) {
    it(`reads ${text}, and writes it back`, () => {
      expect(parseAddress(text)).to.deep.equal(address);
      expect(formatAddress(address)).to.equal(canonical);
    });
  }

  for (const text of [
    "",
    ":50051",
    "50051",
    "host",
    "host:",
    "host:65536",
    "host:-1",
    "::1:5",
    "unix:",
  ]) {
    it(`refuses "${text}" and says what is right`, () => {
      expect(() => parseAddress(text)).to.throw(
        `"${text}" is no address to listen on; write host:port`,
      );
    });
  }
});

describe("isLoopback", () => {
  const cases: [string, boolean][] = [
    ["127.0.0.1:1", true],
    ["127.8.9.10:1", true],
    ["localhost:1", true],
    ["LOCALHOST:1", true],
    ["[::1]:1", true],
    ["[::ffff:127.0.0.1]:1", true],
    ["unix:/run/tally.sock", true],
    ["0.0.0.0:1", false],
    ["[::]:1", false],
    ["10.0.0.1:1", false],
    ["127.0.0.1.example.com:1", false],
    ["localhost.example.com:1", false],
    ["128.0.0.1:1", false],
  ];
  for (const [text, expected] of cases) {
    it(`says ${expected} of ${text}`, () => {
      expect(isLoopback(parseAddress(text))).to.equal(expected);
    });
  }
});
