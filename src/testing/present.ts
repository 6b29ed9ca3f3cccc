/** Servers that a test needs: without them it is skipped with the reason, and fails where `CI` is set. */

export interface Absent {
  readonly absent: string
}

/** `skip` is the test context's: it ends the test. */
export function present<T extends object>(subject: T | Absent, skip: (reason: string) => never): T {
  if (!('absent' in subject)) return subject
  if ((process.env['CI'] ?? '') !== '') throw new Error(`CI needs every server: ${subject.absent}`)
  return skip(subject.absent)
}
