import { expect, test } from 'vitest'
import { type Attempt, until, untilTrue } from './until.ts'

const AT_ONCE = { withinMs: 60_000, everyMs: 0 }

/** Returns a check with these results, one after the other; a failure is thrown. */
function looks<T>(...seen: readonly (Attempt<T> | Error)[]): () => Promise<Attempt<T>> {
  const rest = [...seen]
  return async () => {
    const next = rest.shift()
    if (next === undefined || next instanceof Error) throw next ?? new Error('one check too many')
    return next
  }
}

test('checks until the value is there, and ignores checks that fail', async () => {
  const seen = looks<number>({ missing: 'a pod' }, new Error('not yet'), { value: 7 })
  expect(await until(seen, AT_ONCE)).toBe(7)
})

test('reports the last missing part, and its cause, after the deadline', async () => {
  const why = new Error('refused')
  await expect(until(looks({ missing: 'a pod' }), { withinMs: -1 })).rejects.toThrow('not within -0.001 s: a pod')
  await expect(until(looks(why), { withinMs: -1 })).rejects.toMatchObject({ cause: why })
})

test('rejects with the reason of the signal', async () => {
  const ending = new AbortController()
  const seen = async (): Promise<Attempt<never>> => {
    ending.abort(new Error('ended by SIGINT'))
    return { missing: 'a pod' }
  }
  await expect(until(seen, { ...AT_ONCE, signal: ending.signal })).rejects.toThrow('ended by SIGINT')
})

test('names the condition when the check fails', async () => {
  const why = new Error('refused')
  const failing = untilTrue('an answer', () => Promise.reject(why), { withinMs: -1 })
  await expect(failing).rejects.toMatchObject({
    message: expect.stringContaining('s: an answer') as string,
    cause: why,
  })
  expect(await untilTrue('an answer', async () => true, AT_ONCE)).toBe(true)
})
