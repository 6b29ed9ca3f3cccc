/** Handles absent servers: a test is skipped, or fails if `CI` is set; a program ends. */
import type { Scope } from '../std/scope.ts'

export interface Absent {
  readonly absent: string
}

/** Returns the server. If it is absent, skips the test, or throws if `CI` is set. `skip` is that of the test context. */
export function present<T extends object>(subject: T | Absent, skip: (reason: string) => never): T {
  if (!('absent' in subject)) return subject
  if ((process.env['CI'] ?? '') !== '') throw new Error(`CI needs every server: ${subject.absent}`)
  return skip(subject.absent)
}

/** Resolves with the started server, which is released with the scope. Rejects with the reason if it is absent. */
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
