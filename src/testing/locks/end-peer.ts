/**
 * A program that uses locks and then has nothing left to do. An argument selects its work. It sends `ready` when its parent
 * may break the lock service, waits for a message if necessary, and must end by itself: it never calls exit.
 *
 * The third argument overrides the effect of the locker's timers: with `always` each of them keeps the process alive, with
 * `never` none does.
 */
import { once } from 'node:events'
import { createLocker } from '../../lock/locker.ts'
import { openLockBackend } from '../../lock/registry.ts'
import { type Clock, systemClock } from '../../std/clock.ts'

const [task = '', url = 'memory:', keepsAlive] = process.argv.slice(2)
const soon = AbortSignal.timeout(10_000)

/** The system clock, with timers according to the third argument. */
function clock(): Clock {
  if (keepsAlive === undefined) return systemClock
  const timer: Clock['timer'] = (ms, callback) =>
    systemClock.timer(ms, callback, { keepsAlive: keepsAlive === 'always' })
  return { ...systemClock, timer }
}

/** Lets the parent break the service, and disconnects the channel to it, so that it does not keep the process alive. */
async function breakService(): Promise<void> {
  process.send?.('ready')
  await once(process, 'message')
  process.disconnect()
}

async function main(): Promise<void> {
  const backend = await openLockBackend(url, {}, soon)
  const locker = createLocker(backend, { clock: clock(), ttlMs: 30_000 })
  if (task === 'wait') {
    process.disconnect()
    await locker.acquire('k')
    const waited = await locker.acquire('k', { waitMs: 300 }).catch((why: unknown) => why)
    process.stdout.write(`${String(waited)}\n`)
    return
  }
  const grant = await locker.acquire('k')
  await breakService()
  process.stdout.write(`${(await grant.release()).kind}\n`)
  if (task === 'dispose') await locker[Symbol.asyncDispose]()
  await backend[Symbol.asyncDispose]()
  process.stdout.write('done\n')
}

await main()
