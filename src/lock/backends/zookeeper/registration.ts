/** Registers the lock on a ZooKeeper ensemble. */
import type { BackendRegistration, OpenBackend } from '../../backend.ts'

async function load(): Promise<OpenBackend> {
  const { connectZooKeeperLock } = await import('./backend.ts')
  return (url, context, signal) => connectZooKeeperLock(url, context, signal)
}

export const zookeeperBackend: BackendRegistration = {
  schemes: ['zookeeper', 'zookeepers'],
  examples: ['zookeeper://…', 'zookeepers://…'],
  load,
}
