/**
 * Program of a process that writes to the register under locks (drill/workloads/register.ts). It reports every event to
 * its parent, and ends when the parent ends.
 *
 * Arguments: name, lock URL, fence store URL, register file, seed, lease of locks in milliseconds.
 */
import type { Entry } from '../../../drill/history.ts'
import { runRegister } from '../../../drill/workloads/register.ts'
import { openSqliteRegister } from '../../../drill/workloads/sqlite-register.ts'
import { openFenceStore } from '../../../lock/fencing/registry.ts'
import { createLocker } from '../../../lock/locker.ts'
import { openLockBackend } from '../../../lock/registry.ts'
import { systemClock } from '../../../std/clock.ts'
import { createRandom } from '../../../std/random.ts'
import { silentLog } from '../../../telemetry/log.ts'

/** Message of the parent that ends the workload. */
export const END = 'end'

const [name = '', lockUrl = '', fencesUrl = '', registerFile = '', seed = '', ttl = ''] = process.argv.slice(2)

/** Resolves when the event is in the parent's end of the pipe, where it survives the end of this process. */
function record(entry: Entry): Promise<void> {
  return new Promise((resolve) => {
    process.send?.(entry, () => resolve())
  })
}

const ending = new AbortController()
process.on('disconnect', () => process.exit())
process.on('message', (message) => {
  if (message === END) ending.abort(new Error('the end of the workload'))
})

const soon = AbortSignal.timeout(10_000)
const fences = await openFenceStore(fencesUrl, soon)
const backend = await openLockBackend(lockUrl, { clock: systemClock, log: silentLog, fences }, soon)
const register = openSqliteRegister(registerFile)
await runRegister({
  process: name,
  keys: ['register-1', 'register-2'],
  locker: createLocker(backend, { ttlMs: Number(ttl) }),
  register,
  random: createRandom(Number(seed)),
  clock: systemClock,
  record,
  signal: ending.signal,
})
process.disconnect()
