import { expect, test } from 'vitest'
import { createStory, type Story } from '../../testing/story.ts'
import type { Event } from '../history.ts'
import { hasLoad, loadWhole, recoveryUnderLoad } from './load.ts'

const NOTHING = { rows: [] }

function story(tell: (tale: Story & { phase(key: string, value?: string): void }) => void) {
  const tale = createStory()
  const phase = (key: string, value?: string) =>
    tale.add({ op: `phase-${key}`, f: 'phase', type: 'info', key, ...(value === undefined ? {} : { value }) })
  tell({ ...tale, phase })
  return tale.events
}

const recovery = (events: readonly Event[], boundMs = 100) => recoveryUnderLoad(boundMs)(events, NOTHING)

test('a load that was recorded from begin to end is whole', () => {
  const events = story((tale) => {
    tale.phase('load-began')
    tale.phase('load-ended', '0')
  })
  expect(hasLoad(events)).toBe(true)
  expect(loadWhole(events)).toMatchObject({ kind: 'valid', figures: { runs: 1, dropped: 0 } })
  expect(hasLoad(story((tale) => tale.phase('healed')))).toBe(false)
})

test.each([
  ['load-cut', '0', /was cut/],
  ['load-ended', '2', /2 arrivals were not made/],
])('one that says %s %s proves nothing', (key, value, why) => {
  const events = story((tale) => {
    tale.phase('load-began')
    tale.phase(key, value)
  })
  expect(loadWhole(events)).toMatchObject({ kind: 'inconclusive', why: expect.stringMatching(why) as string })
})

test('recovery is the time to the first acknowledgement of what is sent after everything is healed', () => {
  const events = story((tale) => {
    const underWay = tale.beginSave('a')
    tale.phase('healed')
    underWay({ type: 'ok', result: 'created', id: 'id-a' })
    tale.save('b', 'info')
    tale.save('b', 'created')
    tale.save('c', 'fail')
  })
  expect(recovery(events)).toMatchObject({ kind: 'valid', figures: { recoveredMs: 5 } })
  expect(recovery(events, 4)).toMatchObject({ kind: 'violated' })
})

test('a service that acknowledges nothing after everything is healed has not recovered', () => {
  const events = story((tale) => {
    tale.save('a', 'created')
    tale.phase('healed')
    tale.save('b', 'fail')
  })
  expect(recovery(events)).toMatchObject({ kind: 'violated' })
})

test('what was sent again and never acknowledged is a violation', () => {
  const events = story((tale) => {
    tale.save('a', 'info')
    tale.phase('healed')
    tale.save('a', 'info')
    tale.save('b', 'created')
  })
  expect(recovery(events).counterExamples[0]?.says).toMatch(/content a was sent again after all faults/)
})

test.each([
  ['nobody says when it was healed', story((tale) => tale.save('a', 'created'))],
  [
    'nothing is sent after',
    story((tale) => {
      tale.save('a', 'created')
      tale.phase('healed')
    }),
  ],
  [
    'an unknown outcome is not settled',
    story((tale) => {
      tale.save('a', 'info')
      tale.phase('healed')
      tale.save('b', 'created')
    }),
  ],
])('where %s nothing can be said', (_, events) => {
  expect(recovery(events)).toMatchObject({ kind: 'inconclusive' })
})
