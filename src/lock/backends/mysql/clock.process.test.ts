/** Jumps of a MariaDB server's wall clock, which ends leases. */
import { afterEach, test } from 'vitest'
import { systemClock } from '../../../std/clock.ts'
import { createScope } from '../../../std/scope.ts'
import { expectFreeAfterLease, expectSecondHolder, type MovedClock } from '../../../testing/locks/moved-clock.ts'
import { BUILD_CLOCK, clockIsBuilt, MOVED_CLOCK, moveClock } from '../../../testing/moved-clock/moved-clock.ts'
import { startMariadb } from '../../../testing/mysql/server.ts'
import { present } from '../../../testing/present.ts'
import { openLockBackend } from '../../registry.ts'

const TTL_MS = 2_000

let scope = createScope()
afterEach(async () => {
  await scope.close()
  scope = createScope()
})

async function serve(skip: (reason: string) => never): Promise<MovedClock> {
  const server = present(await startMariadb({ env: MOVED_CLOCK }), skip)
  scope.defer(async () => server[Symbol.asyncDispose]())
  await server.shell(BUILD_CLOCK)
  present(await clockIsBuilt(server.shell), skip)
  await server.kill()
  await server.start()
  const backend = await openLockBackend(server.url, { clock: systemClock }, AbortSignal.timeout(10_000))
  scope.defer(async () => backend[Symbol.asyncDispose]())
  const wallMs = async (): Promise<number> => {
    const [row] = await server.sql('SELECT UNIX_TIMESTAMP(SYSDATE(6)) * 1000 AS ms')
    return Number(row?.['ms'])
  }
  return {
    backend,
    ttlMs: TTL_MS,
    on: 'mysql, on MariaDB',
    move: (seconds) => moveClock(server.shell, seconds, wallMs),
  }
}

test('a wall clock that jumps ahead allows two holders, whose fences differ, and one that goes back keeps no key', async ({
  skip,
}) => {
  const moved = await serve(skip)
  await expectSecondHolder(moved)
  await expectFreeAfterLease(moved)
})
