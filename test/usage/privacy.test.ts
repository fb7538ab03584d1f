import { expect } from "chai";
import { DEFAULT_MAX_BODY_SIZE, resolveSettings } from "../../src/catalog/settings.js";
import { type PayloadSettings, selectPayload } from "../../src/usage/privacy.js";
import type { UsagePayload } from "../../src/usage/usage-record.js";

const PAYLOAD: UsagePayload = {
  requestHeaders: { Authorization: "Bearer sk-0123456789" },
  providerRequestHeaders: { "X-Api-Key": "sk-provider-9876" },
  responseHeaders: { "Set-Cookie": "session=1" },
  requestBody: { prompt: "secret" },
  responseBody: "answer",
};

const MASKED: UsagePayload = {
  requestHeaders: { Authorization: "Bear****6789" },
  providerRequestHeaders: { "X-Api-Key": "sk-p****9876" },
  responseHeaders: { "Set-Cookie": "sess****on=1" },
};

function settings(values: Parameters<typeof resolveSettings>[0]): PayloadSettings {
  return resolveSettings(values, "");
}

/** As it reaches the database. */
function stored(payload: UsagePayload, values: Parameters<typeof resolveSettings>[0]): unknown {
  const selected = selectPayload(payload, settings(values));
  return selected && JSON.parse(JSON.stringify(selected));
}

describe("selectPayload", () => {
  it("keeps nothing by default and at BASIC", () => {
    expect(stored(PAYLOAD, {})).to.equal(undefined);
    expect(stored(PAYLOAD, { requestLogLevel: "BASIC" })).to.equal(undefined);
  });

  it("keeps masked headers and no bodies at HEADERS", () => {
    expect(stored(PAYLOAD, { requestLogLevel: "HEADERS" })).to.deep.equal(MASKED);
  });

  it("keeps masked headers and whole bodies at FULL", () => {
    const { requestBody, responseBody } = PAYLOAD;
    const expected = { ...MASKED, requestBody, responseBody };
    expect(stored(PAYLOAD, { requestLogLevel: "FULL" })).to.deep.equal(expected);
  });

  it("masks what the settings name beside the default headers", () => {
    const payload = { requestHeaders: { "X-Secret": "0123456789", cookie: "c" } };
    const values = { requestLogLevel: "FULL", sensitiveHeaders: ["x-secret"] } as const;
    expect(stored(payload, values)).to.deep.equal({
      requestHeaders: { "X-Secret": "0123****6789", cookie: "****" },
    });
  });

  it("cuts each body at its own size", () => {
    const payload = { requestBody: "0123456789", responseBody: "0123456789" };
    const values = {
      requestLogLevel: "FULL",
      maxRequestBodySize: 4,
      maxResponseBodySize: 12,
    } as const;
    expect(stored(payload, values)).to.deep.equal({
      requestBody: { _truncated: true, _original_size: 12, _content: '"012' },
      responseBody: "0123456789",
    });
  });

  it("cuts bodies of more than a mebibyte by default", () => {
    const requestBody = "x".repeat(DEFAULT_MAX_BODY_SIZE);
    expect(stored({ requestBody }, { requestLogLevel: "FULL" })).to.deep.equal({
      requestBody: {
        _truncated: true,
        _original_size: 1_048_578,
        _content: `"${"x".repeat(1_048_575)}`,
      },
    });
  });

  it("keeps nothing of what was not given", () => {
    const nothing = { requestHeaders: {}, responseHeaders: {}, requestBody: null };
    expect(stored(nothing, { requestLogLevel: "FULL" })).to.equal(undefined);
    expect(stored({ requestBody: "b" }, { requestLogLevel: "HEADERS" })).to.equal(undefined);
    for (const body of [false, 0, ""] as const) {
      const kept = { responseBody: body };
      expect(stored(kept, { requestLogLevel: "FULL" })).to.deep.equal(kept);
    }
  });
});
