/** Registers the lock on Kubernetes Leases. */
import type { BackendRegistration, OpenBackend } from '../../backend.ts'

async function load(): Promise<OpenBackend> {
  const { connectKubernetesLock } = await import('./backend.ts')
  return (url, context, signal) => connectKubernetesLock(url, context, signal)
}

export const kubernetesBackend: BackendRegistration = {
  schemes: ['kubernetes'],
  examples: ['kubernetes:///namespace'],
  load,
}
