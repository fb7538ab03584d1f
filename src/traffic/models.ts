/** A model that traffic is sent to. */
export interface TrafficModel {
  /** Its provider's id in the bundled price collection. */
  readonly provider: string;
  /** Its id in the bundled price collection. */
  readonly model: string;
  /** Wire format of the provider's API. */
  readonly apiFormat: string;
  /** Share of the conversations, in parts of the sum of all weights. */
  readonly weight: number;
}

/** Four models with list prices far apart, from three providers and API formats. */
export const TRAFFIC_MODELS: readonly TrafficModel[] = [
  { provider: "anthropic", model: "claude-sonnet-4-5", apiFormat: "CLAUDE", weight: 4 },
  { provider: "openai", model: "gpt-4o", apiFormat: "OPENAI", weight: 3 },
  { provider: "openai", model: "gpt-4o-mini", apiFormat: "OPENAI", weight: 2 },
  { provider: "google", model: "gemini-2.5-pro", apiFormat: "GEMINI", weight: 1 },
];

const TOTAL_WEIGHT = TRAFFIC_MODELS.reduce((sum, { weight }) => sum + weight, 0);

/** The model that a draw from 0 to 2^32 - 1 falls on, by weight. */
export function modelFor(draw: number): TrafficModel {
  let left = draw % TOTAL_WEIGHT;
  for (const model of TRAFFIC_MODELS) {
    left -= model.weight;
    if (left < 0) return model;
  }
  throw new RangeError(`draw: must not be negative, got ${draw}`);
}
