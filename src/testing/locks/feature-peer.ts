/** A process that holds a permit of a semaphore, or leads, until it is killed: `URL semaphore|leader NAME PERMITS`. */
import { once } from 'node:events'
import { createLocker } from '../../lock/locker.ts'
import { openLockBackend } from '../../lock/registry.ts'

/** Sent when it holds the permit or leads. */
export interface HeldReport {
  readonly key: string
  readonly fence: bigint | undefined
}

const TTL_MS = 1_500

async function main([url = '', what = '', name = '', permits = '1']: readonly string[]): Promise<void> {
  // a busy machine needs long to start several processes
  const backend = await openLockBackend(`${url}?timeout=3s`, {}, AbortSignal.timeout(10_000))
  const locker = createLocker(backend, { ttlMs: TTL_MS, waitMs: 60_000 })
  const hold = async (signal: AbortSignal, held: HeldReport): Promise<void> => {
    process.send?.(held)
    await once(signal, 'abort')
  }
  if (what === 'leader') {
    await locker.lead(name, (signal, { key, fence }) => hold(signal, { key, fence }))
  } else {
    const semaphore = locker.semaphore(name, { permits: Number(permits) })
    await semaphore.withPermit(({ signal, key, fence }) => hold(signal, { key, fence }))
  }
}

process.on('disconnect', () => process.exit())
await main(process.argv.slice(2))
