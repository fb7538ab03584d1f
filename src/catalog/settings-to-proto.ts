import { create } from "@bufbuild/protobuf";
import type { FieldMask } from "@bufbuild/protobuf/wkt";
import * as proto from "../../gen/tally/v1/catalog_pb.js";
import type { FieldViolation } from "../errors.js";
import { fromProtoSettings } from "./document-from-proto.js";
import { timestampOfUs } from "./entries-to-proto.js";
import { applyMask, maskViolations } from "./mask-from-proto.js";
import { toProtoAutoProvision } from "./provision-to-proto.js";
import type { SettingsValues } from "./settings.js";
import type { EditedSettings } from "./settings-editor.js";

/** Shows settings as they apply; of the headers to mask, those beside the default ones. */
export function toProtoEditedSettings({ settings, values, etag, updateTimeUs }: EditedSettings) {
  const { sensitiveHeaders = [] } = values;
  return {
    settings: toProtoSettings({ ...settings, sensitiveHeaders }),
    etag,
    updateTime: timestampOfUs(updateTimeUs),
  };
}

/** Every path of a mask that names no setting. */
export function settingsMaskViolations(mask: FieldMask | undefined): FieldViolation[] {
  return maskViolations(proto.SettingsSchema, mask);
}

/** Makes what is given of settings of what is given now: what the mask names, as it is told. */
export function settingsRevisionOf(
  given: proto.Settings,
  mask: FieldMask | undefined,
): (values: SettingsValues) => SettingsValues {
  return (values) => {
    const current = toProtoSettings(values);
    return fromProtoSettings(
      applyMask(proto.SettingsSchema, { current, given }, { mask, fixed: [] }),
    );
  };
}

/** What is not given stays unset. */
function toProtoSettings(values: SettingsValues): proto.Settings {
  const {
    requestLogLevel,
    unpricedModelPolicy,
    sensitiveHeaders = [],
    autoProvision,
    ...figures
  } = values;
  return create(proto.SettingsSchema, {
    ...figures,
    sensitiveHeaders: [...sensitiveHeaders],
    ...(autoProvision && { autoProvision: toProtoAutoProvision(autoProvision) }),
    ...(requestLogLevel && { requestLogLevel: proto.RequestLogLevel[requestLogLevel] }),
    ...(unpricedModelPolicy && {
      unpricedModelPolicy: proto.UnpricedModelPolicy[unpricedModelPolicy],
    }),
  });
}
