import { expect, test } from 'vitest'
import { IngotError } from '../../errors/error.ts'
import type { Polled, Probe } from '../../redis/probe.ts'
import { createFakeClock } from '../../testing/clock.ts'
import { createProbePool } from './probe-pool.ts'

const clock = createFakeClock()

function createFakes(...polled: readonly Polled<string>[]) {
  const events: string[] = []
  const coming = [...polled]
  const next = (): Polled<string> | undefined => coming.shift()
  const target = (pod: string, identity: string, fails = false) => ({
    pod,
    identity,
    async open(): Promise<Probe<string>> {
      if (fails) throw new Error('no certificate')
      events.push(`open ${identity}`)
      return {
        isOpen: true,
        poll: async () => next() ?? { kind: 'seen', value: identity },
        call: async (command) => `${command} ${identity}`,
        [Symbol.dispose]: () => void events.push(`close ${identity}`),
      }
    },
  })
  return { events, target }
}

test('a pod keeps its connection from poll to poll', async () => {
  const { events, target } = createFakes()
  using pool = createProbePool<string>(clock)
  await pool.poll([target('a', 'a1'), target('b', 'b1')])
  const polled = await pool.poll([target('a', 'a1'), target('b', 'b1')])
  expect([...polled]).toEqual([
    ['a', { kind: 'seen', value: 'a1' }],
    ['b', { kind: 'seen', value: 'b1' }],
  ])
  expect(events).toEqual(['open a1', 'open b1'])
})

test('a pod that changed gets a new connection, and that of a pod that is gone is closed', async () => {
  const { events, target } = createFakes()
  using pool = createProbePool<string>(clock)
  await pool.poll([target('a', 'a1'), target('b', 'b1')])
  await pool.poll([target('a', 'a2')])
  expect(events.toSorted()).toEqual(['close a1', 'close b1', 'open a1', 'open a2', 'open b1'])
})

test('a target that cannot be opened is silent with the reason, and is tried again', async () => {
  const { events, target } = createFakes()
  using pool = createProbePool<string>(clock)
  expect((await pool.poll([target('a', 'a1', true)])).get('a')).toMatchObject({
    kind: 'silent',
    error: { message: expect.stringContaining('no certificate') as unknown },
    isClosed: true,
  })
  expect((await pool.poll([target('a', 'a1')])).get('a')).toEqual({ kind: 'seen', value: 'a1' })
  expect(events).toEqual(['open a1'])
})

test('the end of the pool closes every connection', async () => {
  const { events, target } = createFakes()
  const pool = createProbePool<string>(clock)
  await pool.poll([target('a', 'a1'), target('b', 'b1')])
  pool[Symbol.dispose]()
  await Promise.resolve()
  expect(events.slice(2)).toEqual(['close a1', 'close b1'])
})

const silent = (isClosed: boolean): Polled<string> => {
  return { kind: 'silent', error: new IngotError('REDIS_UNREACHABLE', 'no response'), isClosed }
}

test('a connected server is silent after two polls without a response, and its last report counts until then', async () => {
  const seen: Polled<string> = { kind: 'seen', value: 'first' }
  const { target } = createFakes(seen, silent(false), silent(false), seen, silent(true))
  using pool = createProbePool<string>(clock)
  const polls: unknown[] = []
  for (let poll = 0; poll < 5; poll++) polls.push((await pool.poll([target('a', 'a1')])).get('a')?.kind)
  expect(polls).toEqual(['seen', 'seen', 'silent', 'seen', 'silent'])
})

test('commands go over the connection of the last poll, and there are none when it was closed', async () => {
  const { target } = createFakes({ kind: 'seen', value: 'x' }, silent(true))
  using pool = createProbePool<string>(clock)
  expect(pool.commandsOf('a')).toBeUndefined()
  await pool.poll([target('a', 'a1')])
  expect(await pool.commandsOf('a')?.call('PING')).toBe('PING a1')
  await pool.poll([target('a', 'a1')])
  expect(pool.commandsOf('a')).toBeUndefined()
})

test('a report counts for its time, and no longer', async () => {
  const [first, second] = [{ kind: 'seen', value: 'first' } as const, silent(true)]
  const { target } = createFakes(first, second)
  using pool = createProbePool<string>(clock)
  const fresh = { ...target('a', 'a1'), freshMs: 3_000 }
  expect((await pool.poll([fresh])).get('a')).toEqual(first)
  await clock.advance(2_000)
  expect((await pool.poll([fresh])).get('a')).toEqual(first)
  await clock.advance(2_000)
  expect((await pool.poll([fresh])).get('a')).toEqual(second)
})
