import { expect, test } from 'vitest'
import { silentLog } from '../telemetry/log.ts'
import { createFakeClock } from '../testing/clock.ts'
import { createMemoryFences } from './fencing/memory.ts'
import { openFenceStore } from './fencing/registry.ts'
import { LOCK_SCHEMES, openLockBackend } from './registry.ts'

const soon = (): AbortSignal => AbortSignal.timeout(1_000)
const context = { clock: createFakeClock(), log: silentLog }

test('opens a backend by its URL', async () => {
  await using backend = await openLockBackend('memory:', context, soon())
  expect(backend.name).toBe('memory')
  expect(backend.capabilities.fencing).toBe('within-epoch')
})

test('a fence store makes fences rise beyond the process', async () => {
  const fences = createMemoryFences()
  const fenceOf = async (): Promise<bigint> => {
    await using backend = await openLockBackend('memory:', { ...context, fences }, soon())
    expect(backend.capabilities.fencing).toBe('always')
    const attempt = await backend.tryAcquire({ key: 'k', token: 't', ttlMs: 100 }, soon())
    return attempt.kind === 'granted' ? (attempt.fence ?? 0n) : 0n
  }
  const first = await fenceOf()
  expect(await fenceOf()).toBeGreaterThan(first)
})

test.each(['', 'no-scheme', 'mongodb://h', 'constructor:', 'redis'])(
  'lists the allowed schemes for %j',
  async (url) => {
    const opening = openLockBackend(url, context, soon())
    await expect(opening).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    for (const scheme of LOCK_SCHEMES) await expect(opening).rejects.toThrow(`"${scheme}:"`)
  },
)

test.each([
  'redis://u:hidden-word@h:notaport',
  'redis+sentinel://u:hidden-word@h:1',
  'redis+cluster://u:hidden-word@h:1/3',
  'redlock://u:hidden-word@h:1,h:2',
  'rediss://u:hidden-word@h:1?unknown=1',
])('reports the error in %s, without its password', async (url) => {
  const opening = openLockBackend(url, context, soon())
  await expect(opening).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  await expect(opening).rejects.not.toThrow('hidden-word')
})

test('lists the available fence stores', async () => {
  const opening = openFenceStore('mysql://h', soon())
  await expect(opening).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  await expect(opening).rejects.toThrow('memory:, sqlite:, postgres:, postgresql:')
})
