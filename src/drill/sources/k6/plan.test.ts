import { expect, test } from 'vitest'
import { contentIdOf } from '../../../identity/content-id.ts'
import { shotAt } from './plan.ts'

const SHOTS = Array.from({ length: 2_000 }, (_, iteration) => shotAt('r', iteration))

test('a run and a number give the same shot again, and another run gives another shot', () => {
  expect(shotAt('r', 7)).toEqual(SHOTS[7])
  expect(shotAt('q', 7)).not.toEqual(SHOTS[7])
})

test('a key identifies one content in every spelling, and a content has one key', () => {
  const keys = new Map<string, string>()
  const texts = new Set<string>()
  for (const { key, text } of SHOTS.flatMap(({ items }) => items)) {
    const id = Buffer.from(contentIdOf({ kind: 'json' }, Buffer.from(text))).toString('hex')
    expect(keys.get(id) ?? key).toBe(key)
    keys.set(id, key)
    texts.add(text)
    expect(text).not.toContain('\n')
  }
  expect(new Set(keys.values()).size).toBe(keys.size)
  expect(texts.size).toBeGreaterThan(keys.size)
})

test('half of the odd iterations send the content of the preceding one at the same time, others an earlier content', () => {
  const firsts = SHOTS.map(({ items }) => items[0]?.key)
  const odd = firsts.flatMap((key, iteration) => (iteration % 2 === 1 ? [{ key, iteration }] : []))
  const twins = odd.filter(({ key, iteration }) => key === firsts[iteration - 1])
  const again = odd.filter(({ key, iteration }) => firsts.slice(0, iteration - 1).includes(key))
  expect(twins.length / odd.length).toBeGreaterThan(0.4)
  expect(again.length / odd.length).toBeGreaterThan(0.1)
})

test('all forms occur, and no shot has a content twice', () => {
  expect(new Set(SHOTS.map(({ form }) => form))).toEqual(new Set(['single', 'batch', 'stream']))
  for (const { form, items } of SHOTS) {
    expect(new Set(items.map(({ key }) => key)).size).toBe(items.length)
    expect(form === 'single' ? items.length === 1 : items.length > 0).toBe(true)
  }
})
