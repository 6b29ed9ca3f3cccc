import { expect, test } from 'vitest'
import type { Probe } from '../../redis/probe.ts'
import { createProbePool } from './probe-pool.ts'

function createFakes() {
  const events: string[] = []
  const target = (pod: string, identity: string, fails = false) => ({
    pod,
    identity,
    async open(): Promise<Probe<string>> {
      if (fails) throw new Error('no certificate')
      events.push(`open ${identity}`)
      return {
        poll: async () => ({ kind: 'seen', value: identity }),
        [Symbol.dispose]: () => void events.push(`close ${identity}`),
      }
    },
  })
  return { events, target }
}

test('a pod keeps its connection from poll to poll', async () => {
  const { events, target } = createFakes()
  using pool = createProbePool<string>()
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
  using pool = createProbePool<string>()
  await pool.poll([target('a', 'a1'), target('b', 'b1')])
  await pool.poll([target('a', 'a2')])
  expect(events.toSorted()).toEqual(['close a1', 'close b1', 'open a1', 'open a2', 'open b1'])
})

test('a target that cannot be opened is silent with the reason, and is tried again', async () => {
  const { events, target } = createFakes()
  using pool = createProbePool<string>()
  expect((await pool.poll([target('a', 'a1', true)])).get('a')).toEqual({ kind: 'silent', reason: 'no certificate' })
  expect((await pool.poll([target('a', 'a1')])).get('a')).toEqual({ kind: 'seen', value: 'a1' })
  expect(events).toEqual(['open a1'])
})

test('the end of the pool closes every connection', async () => {
  const { events, target } = createFakes()
  const pool = createProbePool<string>()
  await pool.poll([target('a', 'a1'), target('b', 'b1')])
  pool[Symbol.dispose]()
  await Promise.resolve()
  expect(events.slice(2)).toEqual(['close a1', 'close b1'])
})
