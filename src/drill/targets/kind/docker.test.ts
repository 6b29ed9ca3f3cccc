import { expect, test } from 'vitest'
import type { Program } from '../../../std/run-program.ts'
import { createFakeClock } from '../../../testing/clock.ts'
import { createKindMachines } from './docker.ts'

const UNABLE = '"docker pause worker" ended with 1: OCI runtime pause failed: unable to freeze: unknown'
const options = { signal: new AbortController().signal }

/** Fails with each message in turn, and then succeeds. */
function failing(...messages: readonly string[]): { readonly calls: string[]; readonly docker: Program } {
  const calls: string[] = []
  const docker: Program = async (args) => {
    const message = messages[calls.length]
    calls.push(args.join(' '))
    if (message !== undefined) throw new Error(message)
    return ''
  }
  return { calls, docker }
}

test('a freeze that missed a new process is tried again', async () => {
  const { calls, docker } = failing(UNABLE, UNABLE)
  const clock = createFakeClock()
  const frozen = createKindMachines(docker, clock).freeze('worker', options)
  await clock.advance(10_000)
  await frozen
  expect(calls).toEqual(['pause worker', 'pause worker', 'pause worker'])
})

test('a freeze that fails each time, or for another reason, rejects', async () => {
  const clock = createFakeClock()
  const stubborn = failing(...Array.from({ length: 100 }, () => UNABLE))
  const never = createKindMachines(stubborn.docker, clock).freeze('worker', options)
  const refused = expect(never).rejects.toThrow('unable to freeze')
  await clock.advance(60_000)
  await refused
  const other = failing('No such container: worker')
  await expect(createKindMachines(other.docker, clock).freeze('worker', options)).rejects.toThrow('No such container')
  expect(other.calls).toHaveLength(1)
})
