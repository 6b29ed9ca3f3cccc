/**
 * The program of a holder that writes to a register repeatedly under its lock, without checking that it still holds it.
 * Simulates a process that is stopped between the check and the write. Reports every write.
 *
 * Arguments: lock URL, register and fence store URL, key, time to live in ms.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { openFenceStore } from '../../lock/fencing/registry.ts'
import { createLocker } from '../../lock/locker.ts'
import { openLockBackend } from '../../lock/registry.ts'
import { systemClock } from '../../std/clock.ts'
import { silentLog } from '../../telemetry/log.ts'
import { openRegister } from './register.ts'

export type WriterReport =
  | { readonly kind: 'holding'; readonly fence: bigint }
  | { readonly kind: 'wrote'; readonly outcome: 'written' | 'stale'; readonly held: boolean; readonly aborted: boolean }

const report = (message: WriterReport): void => void process.send?.(message)

const [lockUrl = '', storeUrl = '', key = '', ttl = ''] = process.argv.slice(2)
process.on('disconnect', () => process.exit())

const soon = AbortSignal.timeout(10_000)
const fences = await openFenceStore(storeUrl, soon)
const backend = await openLockBackend(lockUrl, { clock: systemClock, log: silentLog, fences }, soon)
const register = await openRegister(storeUrl)
const grant = await createLocker(backend, { ttlMs: Number(ttl) }).acquire(key)
if (grant.fence === undefined) throw new Error('this test needs fences')
report({ kind: 'holding', fence: grant.fence })
for (;;) {
  // read before the write, the first step after a stop
  const [held, aborted] = [grant.isHeld(), grant.signal.aborted]
  const outcome = await register.write(key, `by ${grant.fence}`, grant.fence)
  report({ kind: 'wrote', outcome, held, aborted })
  await sleep(10)
}
