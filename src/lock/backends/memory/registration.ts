/** Registers the lock inside one process. `memory:` has no parameters. */
import type { BackendRegistration, OpenBackend } from '../../backend.ts'
import { newToken } from '../../token.ts'

async function load(): Promise<OpenBackend> {
  const { createMemoryBackend } = await import('./backend.ts')
  return async (_url, { clock, fences }, signal) =>
    fences === undefined
      ? createMemoryBackend({ clock })
      : createMemoryBackend({ clock, epoch: await fences.epochOf(`memory:${newToken()}`, signal) })
}

export const memoryBackend: BackendRegistration = { schemes: ['memory'], examples: ['memory:'], load, oneProcess: true }
