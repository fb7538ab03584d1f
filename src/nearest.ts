/** Typing errors beyond which a word is another word, as a share of its length. */
const MAX_ERRORS_SHARE = 0.34;

/** The word that was most likely meant; undefined when none is near. */
export function nearest(word: string, words: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestErrors = Math.max(1, Math.floor(word.length * MAX_ERRORS_SHARE)) + 1;
  for (const candidate of words) {
    const errors = editDistance(word, candidate);
    if (errors < bestErrors) [best, bestErrors] = [candidate, errors];
  }
  return best;
}

/** Levenshtein's: letters to insert, delete or replace. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
