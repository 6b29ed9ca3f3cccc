/** The test of a database whose wall clock ends leases: it jumps ahead and back. */
import { test } from 'vitest'
import { openLockBackend } from '../../lock/registry.ts'
import { systemClock } from '../../std/clock.ts'
import { createScope } from '../../std/scope.ts'
import { MOVED_CLOCK, moveClock, preloadClock, type RootShell } from '../moved-clock/moved-clock.ts'
import { type Absent, present } from '../present.ts'
import { expectFreeAfterLease, expectSecondHolder } from './moved-clock.ts'

interface Server extends AsyncDisposable {
  readonly url: string
  readonly shell: RootShell
  kill(): Promise<void>
  start(): Promise<void>
}

export interface DatabaseClock<S extends Server> {
  /** Name of the service in the report. */
  readonly on: string
  readonly start: (options: { readonly env: Readonly<Record<string, string>> }) => Promise<S | Absent>
  /** Reads the server's wall clock, in milliseconds since the Unix epoch. */
  readonly wallMs: (server: S) => Promise<number>
}

const TTL_MS = 2_000

export function testDatabaseClock<S extends Server>({ on, start, wallMs }: DatabaseClock<S>): void {
  test('a wall clock that jumps ahead allows two holders, whose fences differ, and one that goes back keeps no key', async ({
    skip,
  }) => {
    await using scope = createScope()
    const server = present(await start({ env: MOVED_CLOCK }), skip)
    scope.defer(async () => server[Symbol.asyncDispose]())
    const restart = async (): Promise<void> => {
      await server.kill()
      await server.start()
    }
    present(await preloadClock(server.shell, restart), skip)
    const backend = await openLockBackend(server.url, { clock: systemClock }, AbortSignal.timeout(10_000))
    scope.defer(async () => backend[Symbol.asyncDispose]())
    const move = (seconds: number): Promise<void> => moveClock(server.shell, seconds, () => wallMs(server))
    const moved = { backend, ttlMs: TTL_MS, on, move }
    await expectSecondHolder(moved)
    await expectFreeAfterLease(moved)
  })
}
