import { expect, test } from 'vitest'
import { createBatcher } from './batch.ts'

interface Question {
  readonly n: number
  readonly group?: number
  readonly gone?: boolean
}

function batcher(run: (questions: readonly Question[]) => Promise<readonly number[]>, max = 10) {
  return createBatcher<Question, number>({ run, max, groupOf: (q) => q.group ?? 0, wanted: (q) => q.gone !== true })
}

test('calls of one turn share a command and get their own answers', async () => {
  const sizes: number[] = []
  const { submit } = batcher(async (questions) => {
    sizes.push(questions.length)
    return questions.map(({ n }) => n * 2)
  })
  expect(await Promise.all([1, 2, 3].map((n) => submit({ n })))).toEqual([2, 4, 6])
  expect(await submit({ n: 4 })).toBe(8)
  expect(sizes).toEqual([3, 1])
})

test('groups do not share, and no command is larger than allowed', async () => {
  const seen: number[][] = []
  const run = async (questions: readonly Question[]): Promise<readonly number[]> => {
    seen.push(questions.map(({ n }) => n))
    return questions.map(({ n }) => n)
  }
  const { submit } = batcher(run, 2)
  await Promise.all([1, 2, 3, 4, 5].map((n) => submit({ n, group: n % 2 })))
  expect(seen.toSorted((a, b) => (a[0] ?? 0) - (b[0] ?? 0))).toEqual([[1, 3], [2, 4], [5]])
})

test('a question that is no longer asked is not sent', async () => {
  const seen: number[] = []
  const { submit } = batcher(async (questions) => {
    seen.push(...questions.map(({ n }) => n))
    return questions.map(({ n }) => n)
  })
  void submit({ n: 1, gone: true })
  await submit({ n: 2 })
  expect(seen).toEqual([2])
})

test('a command that fails fails all of its batch, and no other', async () => {
  const { submit } = batcher(async (questions) => {
    if (questions[0]?.group === 1) throw new Error('down')
    return questions.map(({ n }) => n)
  })
  const outcomes = await Promise.allSettled([submit({ n: 1, group: 1 }), submit({ n: 2, group: 1 }), submit({ n: 3 })])
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled'])
})

test('answers that do not fit the questions are an error, not a guess', async () => {
  const { submit } = batcher(async () => [1])
  await expect(Promise.all([submit({ n: 1 }), submit({ n: 2 })])).rejects.toThrow('1 answers to 2 questions')
})
