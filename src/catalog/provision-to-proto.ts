import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type AutoProvisionSchema,
  type DefaultBudgetSchema,
  OnUnavailable,
} from "../../gen/tally/v1/catalog_pb.js";
import { BudgetEnforcement, BudgetMeasure } from "../../gen/tally/v1/usage_pb.js";
import { toProtoWindow } from "./entries-to-proto.js";
import type { AutoProvision, DefaultBudget } from "./provision.js";

/** The setting as the contract has it. */
export function toProtoAutoProvision(
  setting: AutoProvision,
): MessageInitShape<typeof AutoProvisionSchema> {
  return {
    users: setting.users,
    apiKeys: setting.apiKeys,
    userBudgets: setting.userBudgets.map(toProtoDefault),
    apiKeyBudgets: setting.apiKeyBudgets.map(toProtoDefault),
    maxPerMinute: setting.maxPerMinute,
  };
}

function toProtoDefault(budget: DefaultBudget): MessageInitShape<typeof DefaultBudgetSchema> {
  return {
    name: budget.name,
    measure: BudgetMeasure[budget.measure],
    ...(budget.limit !== null && { limit: budget.limit }),
    window: toProtoWindow(budget.window),
    enforcement: BudgetEnforcement[budget.enforcement],
    alertPercents: [...budget.alertPercents],
    onUnavailable: OnUnavailable[budget.onUnavailable],
  };
}
