let count = 0;

/** An id that no other test of this process uses. */
export function uniqueId(prefix: string): string {
  count += 1;
  return `${prefix}-${count}`;
}
