import { Analytics } from "../../../gen/tally/v1/analytics_pb.js";
import { implement, type ServiceImplementation } from "../../server/handler.js";
import { timeZoneViolations } from "../time-zone-rule.js";
import type { ActivityCache } from "./activity-cache.js";
import type { ActivityReader } from "./activity-reader.js";
import { nameOfZone } from "./activity-window.js";
import { toProtoActivity } from "./to-proto.js";

/** What the calls about activity are made of. */
export interface ActivityServiceParts {
  readonly reader: ActivityReader;
  readonly cache: Pick<ActivityCache, "forget">;
}

const DEFAULT_WINDOW_DAYS = 365;

/** Makes the part of the Analytics service that is about activity. */
export function createActivityService({
  reader,
  cache,
}: ActivityServiceParts): ServiceImplementation<typeof Analytics> {
  return implement(
    Analytics,
    {
      async getDailyActivity({ userId, timeZone, includeActualCost, windowDays }) {
        const question = {
          userId,
          timeZone: nameOfZone(timeZone),
          withActualCost: includeActualCost,
        };
        const activity = await reader.read(question, windowDays || DEFAULT_WINDOW_DAYS);
        return toProtoActivity(activity, includeActualCost);
      },

      async invalidateActivityCache({ scope }) {
        const { removed, isComplete } = await cache.forget(
          scope.case === "userId" ? scope.value : undefined,
        );
        return { removedEntries: BigInt(removed), isComplete };
      },
    },
    { getDailyActivity: timeZoneViolations },
  );
}
