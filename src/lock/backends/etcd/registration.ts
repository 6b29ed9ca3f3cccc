/** Registers the lock on an etcd cluster. */
import type { BackendRegistration, OpenBackend } from '../../backend.ts'

async function load(): Promise<OpenBackend> {
  const { connectEtcdLock } = await import('./backend.ts')
  return (url, context, signal) => connectEtcdLock(url, context, signal)
}

export const etcdBackend: BackendRegistration = {
  schemes: ['etcd', 'etcds'],
  examples: ['etcd://…', 'etcds://…'],
  load,
}
