/** The messages that a command printed one after the other. @throws SyntaxError if they are no JSON */
export function parseMessages(stdout: string): Record<string, unknown>[] {
  const text = stdout.trim().replace(/\}\s*\n\{/g, "},\n{");
  return JSON.parse(`[${text}]`);
}

/** Whether what a command has printed so far is a message, to its end. */
export function holdsAMessage(stdout: string): boolean {
  try {
    return parseMessages(stdout).length > 0;
  } catch {
    return false;
  }
}
