import type { CatalogTable } from "./catalog-table.js";
import type { Model } from "./types.js";

interface ModelRow {
  readonly model: string;
  readonly display_name: string;
  readonly active: boolean;
}

/** How models are stored. */
export const modelTable: CatalogTable<Model, ModelRow> = {
  name: "models",
  key: "model",
  columns: { model: "text", display_name: "text", active: "boolean" },
  toRow: (model) => ({
    model: model.model,
    display_name: model.displayName,
    active: model.active,
  }),
  fromRow: (row) => ({
    model: row.model,
    displayName: row.display_name,
    active: row.active,
  }),
};
