/** The fence store's executable specification. Its numbers end with the process: for tests, not for durable data. */
import type { FenceStore } from '../fence-store.ts'

export function createMemoryFences(): FenceStore {
  const epochs = new Map<string, bigint>()
  let fence = 0n
  return {
    async epochOf(identity, signal) {
      signal.throwIfAborted()
      const epoch = epochs.get(identity) ?? BigInt(epochs.size + 1)
      epochs.set(identity, epoch)
      return epoch
    },
    async nextFence(_key, signal) {
      signal.throwIfAborted()
      return ++fence
    },
    async [Symbol.asyncDispose]() {},
  }
}
