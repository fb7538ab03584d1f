import type { Settings } from "../catalog/settings.js";
import { type HeaderMap, redactHeaders } from "./redact-headers.js";
import { truncateBody } from "./truncate-body.js";
import type { JsonValue, UsagePayload } from "./usage-record.js";

/** The settings that decide what is kept of headers and bodies. */
export type PayloadSettings = Pick<
  Settings,
  "requestLogLevel" | "sensitiveHeaders" | "maxRequestBodySize" | "maxResponseBodySize"
>;

/**
 * What is stored of a payload: nothing at BASIC; masked headers at HEADERS; at FULL bodies too,
 * cut at their largest sizes. What PostgreSQL cannot store, NUL and lone surrogates, becomes
 * U+FFFD. An empty set of headers and a body that is null count as not given.
 *
 * @returns undefined when there is nothing to store
 */
export function selectPayload(
  payload: UsagePayload,
  settings: PayloadSettings,
): UsagePayload | undefined {
  if (settings.requestLogLevel === "BASIC") return undefined;
  const selected: UsagePayload = {
    ...selectHeaders(payload, settings),
    ...(settings.requestLogLevel === "FULL" && selectBodies(payload, settings)),
  };
  return Object.keys(selected).length === 0 ? undefined : selected;
}

function selectHeaders(payload: UsagePayload, { sensitiveHeaders }: PayloadSettings): UsagePayload {
  const redact = (headers: HeaderMap) => redactHeaders(headers, sensitiveHeaders);
  const { requestHeaders, providerRequestHeaders, responseHeaders } = payload;
  return {
    ...(hasEntries(requestHeaders) && { requestHeaders: redact(requestHeaders) }),
    ...(hasEntries(providerRequestHeaders) && {
      providerRequestHeaders: redact(providerRequestHeaders),
    }),
    ...(hasEntries(responseHeaders) && { responseHeaders: redact(responseHeaders) }),
  };
}

function selectBodies(payload: UsagePayload, settings: PayloadSettings): UsagePayload {
  const { requestBody, responseBody } = payload;
  return {
    ...(isGiven(requestBody) && {
      requestBody: truncateBody(requestBody, settings.maxRequestBodySize),
    }),
    ...(isGiven(responseBody) && {
      responseBody: truncateBody(responseBody, settings.maxResponseBodySize),
    }),
  };
}

function hasEntries(headers: HeaderMap | undefined): headers is HeaderMap {
  return headers !== undefined && Object.keys(headers).length > 0;
}

function isGiven(body: JsonValue | undefined): body is Exclude<JsonValue, null> {
  return body !== undefined && body !== null;
}
