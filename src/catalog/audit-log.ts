import type { Database } from "../database/database.js";
import { type FieldViolation, invalidFields } from "../errors.js";
import { type AuditQuery, type AuditRow, readAudit } from "./audit-store.js";
import { type Page, type PageRequest, pageSizeOf, readPageToken, toPage } from "./page-token.js";
import { timeViolations } from "./time-validation.js";

/** Which changes to list; "" and null do not matter. */
export interface AuditFilter {
  readonly resourceType: string;
  readonly resourceId: string;
  readonly actor: string;
  /** At this time or later, milliseconds since 1970. */
  readonly startTimeMs: number | null;
  /** Before this time. */
  readonly endTimeMs: number | null;
}

/** Who changed what. */
export interface AuditLog {
  /**
   * The newest first. What is written while somebody pages comes before the first page.
   *
   * @throws DomainError INVALID_FIELD
   */
  list(filter: AuditFilter, page: PageRequest): Promise<Page<AuditRow>>;
}

/** Makes a view of the log. */
export function createAuditLog(database: Pick<Database, "knex">): AuditLog {
  return {
    async list(filter, page) {
      const violations = filterViolations(filter);
      if (violations.length > 0) throw invalidFields(violations);
      const query = toQuery(filter);
      const question = ["audit_log", { ...query }];
      const [before] = readPageToken(page, question) ?? [];
      const rows = await readAudit(database.knex, query, { before, limit: pageSizeOf(page) + 1 });
      return toPage(page, rows, { question, keyOf: ({ auditId }) => [auditId.toString()] });
    },
  };
}

function filterViolations({ startTimeMs, endTimeMs }: AuditFilter): FieldViolation[] {
  return [...timeViolations("start_time", startTimeMs), ...timeViolations("end_time", endTimeMs)];
}

function toQuery({ startTimeMs, endTimeMs, ...texts }: AuditFilter): AuditQuery {
  const { resourceType, resourceId, actor } = texts;
  return {
    ...(resourceType !== "" && { resourceType }),
    ...(resourceId !== "" && { resourceId }),
    ...(actor !== "" && { actor }),
    ...(startTimeMs !== null && { startTime: new Date(startTimeMs).toISOString() }),
    ...(endTimeMs !== null && { endTime: new Date(endTimeMs).toISOString() }),
  };
}
