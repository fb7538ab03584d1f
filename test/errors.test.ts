import { expect } from "chai";
import { ErrorReason } from "../gen/tally/v1/error_reason_pb.js";
import { ERROR_KINDS, invalidField, invalidFields, violation } from "../src/errors.js";

describe("ERROR_KINDS", () => {
  it("knows every reason of the contract and no other", () => {
    const names = Object.values(ErrorReason).filter((value) => typeof value === "string");
    expect(Object.keys(ERROR_KINDS)).to.have.members(
      names.filter((name) => name !== ErrorReason[ErrorReason.UNSPECIFIED]),
    );
  });
});

describe("invalidField", () => {
  it("names the field, the rule and the value", () => {
    const error = invalidField("hours", 0, "must be at least 1");
    expect(error.message).to.equal("hours: must be at least 1 (was 0)");
    expect(error.kind).to.equal("invalid-argument");
    expect(error.reason).to.equal("INVALID_FIELD");
    expect(error.violations).to.deep.equal([
      { field: "hours", description: "must be at least 1 (was 0)" },
    ]);
  });
});

describe("invalidFields", () => {
  const broken = ["a", "b", "c", "d", "e"].map((field) => violation(field, 1, "is odd"));

  it("names three in its text and holds all", () => {
    const error = invalidFields(broken);
    expect(error.message).to.equal(
      "a: is odd (was 1); b: is odd (was 1); c: is odd (was 1); and 2 more",
    );
    expect(error.violations).to.deep.equal(broken);
  });

  it("takes a narrower reason", () => {
    expect(invalidFields(broken, "CATALOG_INVALID").reason).to.equal("CATALOG_INVALID");
  });
});
