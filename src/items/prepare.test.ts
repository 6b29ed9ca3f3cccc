import { expect, test } from 'vitest'
import { parsePolicy } from '../identity/policy.ts'
import { createTurns, type Turns } from '../std/turns.ts'
import { prepareAll, TURN_WORK } from './prepare.ts'

const POLICY = parsePolicy({ kind: 'json' })

/** Counts the turns of the event loop while `work` runs. */
async function turnsDuring(work: Promise<unknown>): Promise<number> {
  let turns = 0
  let done = false
  const count = (): void => {
    if (done) return
    turns++
    setImmediate(count)
  }
  setImmediate(count)
  await work.finally(() => void (done = true))
  return turns
}

const lines = (count: number, text: string) =>
  Array.from({ length: count }, () => ({ media: 'application/json', content: Buffer.from(text) }))

function identify(count: number, text: string, turns: Turns): Promise<unknown> {
  return prepareAll(POLICY, lines(count, text), { maxDepth: 8 }, turns)
}

test('yields to the event loop at least every 512 items, valid or invalid', async () => {
  for (const text of ['x', '1']) {
    const turns = createTurns(TURN_WORK)
    expect(await turnsDuring(identify(5_120, text, turns))).toBeGreaterThanOrEqual(5_120 / 512 - 1)
  }
})

test('also yields between the submissions of many callers', async () => {
  const turns = createTurns(TURN_WORK)
  const all = Array.from({ length: 20 }, () => identify(512, 'x', turns))
  expect(await turnsDuring(Promise.all(all))).toBeGreaterThanOrEqual(19)
})

test('detects a variant that does all work in one turn', async () => {
  const greedy: Turns = { enter: () => undefined }
  expect(await turnsDuring(identify(5_120, 'x', greedy))).toBeLessThan(2)
})

test('keeps the order, and refuses items individually', async () => {
  const contents = Array.from({ length: 2_000 }, (_, n) => ({
    media: 'application/json',
    content: Buffer.from(n % 3 === 0 ? `${n}x` : `${n}`),
  }))
  const prepared = await prepareAll(POLICY, contents, { maxDepth: 8 }, createTurns(TURN_WORK))
  expect(prepared.map((one) => ('refused' in one ? one.refused.code : Buffer.from(one.content).toString()))).toEqual(
    contents.map((_, n) => (n % 3 === 0 ? 'JSON_INVALID' : `${n}`)),
  )
})
