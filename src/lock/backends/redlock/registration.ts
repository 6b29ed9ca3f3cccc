/** Registers the lock on a majority of independent Redis servers. */
import type { BackendRegistration, OpenBackend } from '../../backend.ts'

async function load(): Promise<OpenBackend> {
  const { connectRedlock } = await import('./backend.ts')
  return (url, { clock, log, fences }, signal) =>
    fences === undefined
      ? connectRedlock(url, { clock, log }, signal)
      : connectRedlock(url, { clock, log, fences }, signal)
}

export const redlockBackend: BackendRegistration = { schemes: ['redlock'], examples: ['redlock://…'], load }
