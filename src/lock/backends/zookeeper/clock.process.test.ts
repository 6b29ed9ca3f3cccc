/** Jumps of a ZooKeeper server's wall clock, by which it ends no session. */
import { afterEach, test } from 'vitest'
import { systemClock } from '../../../std/clock.ts'
import { createScope } from '../../../std/scope.ts'
import { untilTrue } from '../../../std/until.ts'
import { expectNoEffect, type MovedClock } from '../../../testing/locks/moved-clock.ts'
import { MOVED_CLOCK, moveClock, preloadClock } from '../../../testing/moved-clock/moved-clock.ts'
import { present } from '../../../testing/present.ts'
import { startZooKeeper } from '../../../testing/zookeeper/servers.ts'
import { connectZooKeeperLock } from './backend.ts'

const SESSION_MS = 4_000
const START_MS = 60_000

let scope = createScope()
afterEach(async () => {
  await scope.close()
  scope = createScope()
})

async function serve(skip: (reason: string) => never): Promise<MovedClock> {
  const servers = present(await startZooKeeper({ servers: 1, env: MOVED_CLOCK }), skip)
  scope.defer(async () => servers[Symbol.asyncDispose]())
  const restart = async (): Promise<void> => {
    await servers.signal(0, 'KILL')
    await servers.restart(0)
    await untilTrue('a leader', async () => (await servers.leader()) === 0, { withinMs: START_MS })
  }
  present(await preloadClock(servers.shell, restart), skip)
  const url = `${servers.url}?session=${SESSION_MS / 1_000}s`
  const connect = () => connectZooKeeperLock(url, { clock: systemClock }, AbortSignal.timeout(10_000))
  const backend = await connect()
  scope.defer(async () => backend[Symbol.asyncDispose]())
  /** Only a new session tells the server's time. */
  const wallMs = async (): Promise<number> => {
    const before = await servers.sessions(0)
    const probe = await connect()
    const [started = 0] = [...(await servers.sessions(0))].flatMap(([id, ms]) => (before.has(id) ? [] : [ms]))
    await probe[Symbol.asyncDispose]()
    return started
  }
  return {
    backend,
    ttlMs: SESSION_MS,
    on: 'zookeeper',
    move: (seconds) => moveClock(servers.shell, seconds, wallMs),
  }
}

test('a wall clock that jumps ahead or back ends no session', async ({ skip }) => {
  await expectNoEffect(await serve(skip))
})
