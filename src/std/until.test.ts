import { expect, test } from 'vitest'
import { type Attempt, until, untilTrue } from './until.ts'

const AT_ONCE = { withinMs: 60_000, everyMs: 0 }

/** Looks that come to this, one after the other; a failure is thrown. */
function looks<T>(...seen: readonly (Attempt<T> | Error)[]): () => Promise<Attempt<T>> {
  const rest = [...seen]
  return async () => {
    const next = rest.shift()
    if (next === undefined || next instanceof Error) throw next ?? new Error('one look too many')
    return next
  }
}

test('looks until it is there, past looks that fail', async () => {
  const seen = looks<number>({ missing: 'a pod' }, new Error('not yet'), { value: 7 })
  expect(await until(seen, AT_ONCE)).toBe(7)
})

test('says after the time what was missing last, and why', async () => {
  const why = new Error('refused')
  await expect(until(looks({ missing: 'a pod' }), { withinMs: -1 })).rejects.toThrow('not within -0.001 s: a pod')
  await expect(until(looks(why), { withinMs: -1 })).rejects.toMatchObject({ cause: why })
})

test('ends with the reason of the signal', async () => {
  const ending = new AbortController()
  const seen = async (): Promise<Attempt<never>> => {
    ending.abort(new Error('ended by SIGINT'))
    return { missing: 'a pod' }
  }
  await expect(until(seen, { ...AT_ONCE, signal: ending.signal })).rejects.toThrow('ended by SIGINT')
})

test('a check that fails leaves missing what it is about', async () => {
  const why = new Error('refused')
  const failing = untilTrue('an answer', () => Promise.reject(why), { withinMs: -1 })
  await expect(failing).rejects.toMatchObject({
    message: expect.stringContaining('s: an answer') as string,
    cause: why,
  })
  expect(await untilTrue('an answer', async () => true, AT_ONCE)).toBe(true)
})
