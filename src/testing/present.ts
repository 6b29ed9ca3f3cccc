/** Servers that are needed, and may not be here: a test is skipped then, and fails where `CI` is set; a program ends. */
import type { Scope } from '../std/scope.ts'

export interface Absent {
  readonly absent: string
}

/** `skip` is the test context's: it ends the test. */
export function present<T extends object>(subject: T | Absent, skip: (reason: string) => never): T {
  if (!('absent' in subject)) return subject
  if ((process.env['CI'] ?? '') !== '') throw new Error(`CI needs every server: ${subject.absent}`)
  return skip(subject.absent)
}

/** For a program: what was started, released with the scope. Rejects with why there can be none. */
export async function needed<T extends AsyncDisposable>(
  scope: Scope,
  what: string,
  start: Promise<T | Absent>,
): Promise<T> {
  const server = await start
  if ('absent' in server) throw new Error(`${what} cannot be started: ${server.absent}`)
  scope.defer(() => server[Symbol.asyncDispose]())
  return server
}
