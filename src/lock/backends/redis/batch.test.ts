import { expect, test } from 'vitest'
import { createBatcher } from './batch.ts'

const never = new AbortController().signal

interface Question {
  readonly n: number
  readonly group?: number
  readonly signal?: AbortSignal
}

const GIVEN_UP = -1
const FAILED = -2
const WITHHELD = new Error('withheld')
const reasons: unknown[] = []

function batcher(run: (questions: readonly Question[]) => Promise<readonly number[]>, max = 10) {
  return createBatcher<Question, number>({
    run,
    max,
    groupOf: (q) => q.group ?? 0,
    signalOf: (q) => q.signal ?? never,
    aborted: () => GIVEN_UP,
    withheld: (reason) => reason === WITHHELD,
    failed: (reason) => {
      reasons.push(reason)
      return FAILED
    },
  })
}

test('calls of one turn share a command and get their own results', async () => {
  const sizes: number[] = []
  const { submit } = batcher(async (questions) => {
    sizes.push(questions.length)
    return questions.map(({ n }) => n * 2)
  })
  expect(await Promise.all([1, 2, 3].map((n) => submit({ n })))).toEqual([2, 4, 6])
  expect(await submit({ n: 4 })).toBe(8)
  expect(sizes).toEqual([3, 1])
})

test('groups do not share a command, and no command exceeds the maximum size', async () => {
  const seen: number[][] = []
  const run = async (questions: readonly Question[]): Promise<readonly number[]> => {
    seen.push(questions.map(({ n }) => n))
    return questions.map(({ n }) => n)
  }
  const { submit } = batcher(run, 2)
  await Promise.all([1, 2, 3, 4, 5].map((n) => submit({ n, group: n % 2 })))
  expect(seen.toSorted((a, b) => (a[0] ?? 0) - (b[0] ?? 0))).toEqual([[1, 3], [2, 4], [5]])
})

test('a call that was aborted before the send is not sent', async () => {
  const seen: number[] = []
  const { submit } = batcher(async (questions) => {
    seen.push(...questions.map(({ n }) => n))
    return questions.map(({ n }) => n)
  })
  const gone = submit({ n: 1, signal: AbortSignal.abort() })
  await submit({ n: 2 })
  expect([await gone, ...seen]).toEqual([GIVEN_UP, 2])
  expect(await submit({ n: 3, signal: AbortSignal.abort() })).toBe(GIVEN_UP)
  expect(seen).toEqual([2])
})

test('an aborted call resolves at once, and the others when their replies arrive', async () => {
  const { promise, resolve } = Promise.withResolvers<readonly number[]>()
  const { submit } = batcher(() => promise)
  const [mine, shared] = [new AbortController(), new AbortController()]
  const asked = [mine, shared, shared].map(({ signal }, n) => submit({ n, signal }))
  await Promise.resolve()
  mine.abort()
  expect(await asked[0]).toBe(GIVEN_UP)
  resolve([0, 1, 2])
  expect(await Promise.all(asked)).toEqual([GIVEN_UP, 1, 2])
  shared.abort()
  expect(await asked[1]).toBe(1)
})

test('a failed command fails all calls of its batch, and no others', async () => {
  const { submit } = batcher(async (questions) => {
    if (questions[0]?.group === 1) throw new Error('down')
    return questions.map(({ n }) => n)
  })
  const answers = await Promise.all([submit({ n: 1, group: 1 }), submit({ n: 2, group: 1 }), submit({ n: 3 })])
  expect(answers).toEqual([FAILED, FAILED, 3])
})

test('a wrong number of results is an error', async () => {
  const { submit } = batcher(async () => [1])
  expect(await Promise.all([submit({ n: 1 }), submit({ n: 2 })])).toEqual([FAILED, FAILED])
  expect(String(reasons.at(-1))).toContain('1 results to 2 calls')
})

test('a command that throws fails its batch, and the next one is sent', async () => {
  let calls = 0
  const { submit } = batcher((questions) => {
    if (++calls === 1) throw new Error('broken')
    return Promise.resolve(questions.map(({ n }) => n))
  })
  expect(await Promise.all([submit({ n: 1 }), submit({ n: 2 })])).toEqual([FAILED, FAILED])
  expect(await submit({ n: 3 })).toBe(3)
})

test('a command that was withheld because of one call is sent again for the others', async () => {
  const seen: number[][] = []
  const abort = new AbortController()
  const { submit } = batcher(async (questions) => {
    seen.push(questions.map(({ n }) => n))
    if (seen.length > 1) return questions.map(({ n }) => n)
    abort.abort()
    throw WITHHELD
  })
  const answers = await Promise.all([submit({ n: 1 }), submit({ n: 2, signal: abort.signal }), submit({ n: 3 })])
  expect(answers).toEqual([1, GIVEN_UP, 3])
  expect(seen).toEqual([
    [1, 2, 3],
    [1, 3],
  ])
})

test('a command that is withheld although no call was aborted fails, and is not repeated', async () => {
  let calls = 0
  const { submit } = batcher(async () => {
    calls++
    throw WITHHELD
  })
  expect(await submit({ n: 1 })).toBe(FAILED)
  expect(calls).toBe(1)
})
