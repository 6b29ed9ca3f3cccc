import { expect, test } from 'vitest'
import { createRandom } from '../../../../std/random.ts'
import { independentFaults, type Members } from './members.ts'

/** Records the signals and restarts of five servers. */
function fakeMembers(): { readonly members: Members; readonly calls: string[] } {
  const calls: string[] = []
  const members: Members = {
    ports: [1, 2, 3, 4, 5],
    async signal(member, name) {
      calls.push(`${name} ${member}`)
    },
    async restart(member) {
      calls.push(`restart ${member}`)
    },
  }
  return { members, calls }
}

const SIZES = { 'server-kill': 1, 'minority-kill': 2, 'majority-kill': 3 } as const

test.each(Object.entries(SIZES))(
  '%s kills %d different servers, and starts the same ones again',
  async (name, size) => {
    const { members, calls } = fakeMembers()
    const random = createRandom(1)
    const fault = independentFaults(members, 'PING').find((one) => one.name === name)
    const signal = new AbortController().signal
    const injection = await fault?.prepare(random, signal)
    await injection?.inject(signal)
    const killed = calls.splice(0)
    expect(new Set(killed).size).toBe(size)
    await injection?.undo(signal)
    expect(calls.toSorted()).toEqual(killed.map((call) => call.replace('KILL', 'restart')).toSorted())
  },
)

test('what is stopped goes on at the undo', async () => {
  const { members, calls } = fakeMembers()
  const signal = new AbortController().signal
  const fault = independentFaults(members, 'PING').find(({ name }) => name === 'minority-stop')
  const injection = await fault?.prepare(createRandom(1), signal)
  await injection?.inject(signal)
  await injection?.undo(signal)
  expect(calls.filter((call) => call.startsWith('CONT'))).toEqual(
    calls.filter((call) => call.startsWith('STOP')).map((call) => call.replace('STOP', 'CONT')),
  )
})
