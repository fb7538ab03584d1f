import { expect } from "chai";
import { parseNames } from "../../src/server/caller-certificate.js";

describe("parseNames", () => {
  const cases: [string, string[]][] = [
    ["", []],
    ["DNS:a.corp", ["DNS:a.corp"]],
    [
      "DNS:a.corp, URI:spiffe://corp/a, email:a@corp",
      ["DNS:a.corp", "URI:spiffe://corp/a", "email:a@corp"],
    ],
    ["IP Address:10.0.0.1, DNS:b", ["DNS:b"]],
    ['URI:"http://x/, DNS:admin.corp", DNS:b', ["DNS:b"]],
    ['DNS:"a\\", DNS:admin, \\"", DNS:b', ["DNS:b"]],
    ['othername:"1.2.3::DNS:admin", DNS:b', ["DNS:b"]],
    ["othername:<unsupported>", []],
  ];
  for (const [text, names] of cases) {
    it(`reads ${JSON.stringify(text)}`, () => {
      expect(parseNames(text)).to.deep.equal(names);
    });
  }
});
