/**
 * Shares out places among groups in proportion to their sizes, each at least one: who would get less
 * gets one, the others share what is left; what remains of fractions goes to the largest of them, the
 * first among equals.
 *
 * @param sizes - 1 or more each
 * @param places - at least as many as there are groups
 * @returns one share a size, together `places` or, if that is less, all sizes; none above its size
 */
export function shareOut(sizes: readonly number[], places: number): number[] {
  const total = sum(sizes);
  if (places >= total) return [...sizes];
  const shares = sizes.map(() => 1);
  let rest = sizes.map((_, index) => index);
  let left = places;
  for (;;) {
    const size = sum(rest.map((index) => sizes[index] ?? 0));
    const small = new Set(rest.filter((index) => (sizes[index] ?? 0) * left < size));
    if (small.size === 0) break;
    rest = rest.filter((index) => !small.has(index));
    left -= small.size;
  }
  distribute(rest, left);
  return shares;

  function distribute(indices: readonly number[], count: number): void {
    const size = sum(indices.map((index) => sizes[index] ?? 0));
    const remainders: { index: number; remainder: number }[] = [];
    let given = 0;
    for (const index of indices) {
      const exact = (sizes[index] ?? 0) * count;
      shares[index] = Math.floor(exact / size);
      given += shares[index];
      remainders.push({ index, remainder: exact % size });
    }
    remainders.sort((a, b) => b.remainder - a.remainder || a.index - b.index);
    for (const { index } of remainders.slice(0, count - given)) {
      shares[index] = (shares[index] ?? 0) + 1;
    }
  }
}

function sum(numbers: readonly number[]): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
