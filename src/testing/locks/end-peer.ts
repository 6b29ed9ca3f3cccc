/**
 * A program that uses locks and then has nothing left to do. Its argument names what it does. It says `ready` when its
 * parent may break the lock service, waits for a message where it has to, and ends by itself: nothing here calls exit.
 *
 * A third argument replaces what the locker's timers do to the process: `always` has each of them keep it alive, `never`
 * has none.
 */
import { once } from 'node:events'
import { createLocker } from '../../lock/locker.ts'
import { openLockBackend } from '../../lock/registry.ts'
import { type Clock, systemClock } from '../../std/clock.ts'

const [task = '', url = 'memory:', keepsAlive] = process.argv.slice(2)
const soon = AbortSignal.timeout(10_000)

/** The system's clock, with timers as the third argument says. */
function clock(): Clock {
  if (keepsAlive === undefined) return systemClock
  const timer: Clock['timer'] = (ms, callback) =>
    systemClock.timer(ms, callback, { keepsAlive: keepsAlive === 'always' })
  return { ...systemClock, timer }
}

/** Lets the parent break the service, and lets go of the parent, so that its channel keeps nothing alive. */
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
