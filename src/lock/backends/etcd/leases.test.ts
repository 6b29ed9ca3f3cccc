import { expect, test } from 'vitest'
import { createFakeClock } from '../../../testing/clock.ts'
import type { Gateway } from './gateway.ts'
import { createLeases } from './leases.ts'

/** Returns leases on a gateway that numbers them, and the calls that it got. */
function setUp() {
  const calls: string[] = []
  let granted = 0
  const gateway: Gateway = {
    call: async (method) => {
      calls.push(method)
      return method === 'lease/grant' ? { ID: String(++granted) } : {}
    },
    first: async () => {},
    [Symbol.dispose]() {},
  }
  return { calls, leases: createLeases(gateway, createFakeClock()) }
}

const silent = (): Promise<never> => Promise.reject(new Error('no response'))

test('a lease serves another token after all its requests were answered', async () => {
  const { calls, leases } = setUp()
  const first = await leases.take(1_500)
  await leases.naming(first, async () => 'answered')
  leases.giveBack(first)
  expect(await leases.take(1_500)).toBe(first)
  expect((await leases.take(1_500)).id).toBe('2')
  expect(first.ttlMs).toBe(3_000)
  expect(calls).toEqual(['lease/grant', 'lease/grant'])
})

test('a lease with an unanswered request is revoked; a pool that forgets it would reuse it', async () => {
  const { calls, leases } = setUp()
  const first = await leases.take(1_500)
  await expect(leases.naming(first, silent)).rejects.toThrow('no response')
  leases.giveBack(first)
  expect((await leases.take(1_500)).id).toBe('2')
  expect(calls).toContain('lease/revoke')

  const forgetful = setUp().leases
  const lease = await forgetful.take(1_500)
  await expect(forgetful.naming(lease, silent)).rejects.toThrow('no response')
  lease.dirty = false
  forgetful.giveBack(lease)
  expect(await forgetful.take(1_500)).toBe(lease)
})
