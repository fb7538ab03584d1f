/** A way in which a request fails. */
export interface Failure {
  readonly statusCode: number;
  readonly errorMessage: string;
  /** What the provider still counts: nothing when it refuses, the prompt when it breaks off. */
  readonly isPromptCounted: boolean;
}

/** What providers answer when they do not answer. */
export const FAILURES: readonly Failure[] = [
  { statusCode: 429, errorMessage: "rate limit reached", isPromptCounted: false },
  { statusCode: 529, errorMessage: "overloaded", isPromptCounted: false },
  { statusCode: 500, errorMessage: "internal error of the provider", isPromptCounted: true },
  { statusCode: 504, errorMessage: "no answer within 60 s", isPromptCounted: true },
];
