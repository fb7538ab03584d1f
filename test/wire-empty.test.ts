import { create } from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import { expect } from "chai";
import { file_tally_v1_catalog } from "../gen/tally/v1/catalog_pb.js";
import { file_tally_v1_quota_checker } from "../gen/tally/v1/quota_checker_pb.js";
import { file_tally_v1_usage, UsageInputSchema } from "../gen/tally/v1/usage_pb.js";
import { file_tally_v1_usage_recorder } from "../gen/tally/v1/usage_recorder_pb.js";
import { compileEmpty } from "../src/wire-empty.js";

const schemas = [
  file_tally_v1_catalog,
  file_tally_v1_quota_checker,
  file_tally_v1_usage,
  file_tally_v1_usage_recorder,
].flatMap(({ messages }) => messages);

describe("compileEmpty", () => {
  it("makes what create makes, for messages of the contract and those that come with protobuf", () => {
    for (const schema of [...schemas, TimestampSchema]) {
      expect(compileEmpty(schema)(), schema.typeName).to.deep.equal(create(schema));
    }
  });

  it("makes messages that share nothing", () => {
    const empty = compileEmpty(UsageInputSchema);
    const first = empty();
    first.tags.team = "a";
    first.cacheCreations.length = 1;
    expect(empty()).to.deep.equal(create(UsageInputSchema));
  });
});
