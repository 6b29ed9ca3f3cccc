/** Registers the lock in a Postgres database. */
import type { BackendRegistration, OpenBackend } from '../../backend.ts'

async function load(): Promise<OpenBackend> {
  const { connectPostgresLock } = await import('./backend.ts')
  return (url, context, signal) => connectPostgresLock(url, context, signal)
}

export const postgresBackend: BackendRegistration = {
  schemes: ['postgres', 'postgresql'],
  examples: ['postgres://…', 'postgresql://…'],
  standard: true,
  load,
}
