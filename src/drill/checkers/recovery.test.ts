import { describe, expect, test } from 'vitest'
import { type HistoryBuilder, historyOf, holding } from '../../testing/history-builder.ts'
import { recovery, recoveryUnderLoad } from './recovery.ts'
import type { Checker } from './verdict.ts'

const check = (checker: Checker, build: (builder: HistoryBuilder) => void) => checker(historyOf(build), holding())
const healed = (s: HistoryBuilder): void => s.phase('healed')

describe('recovery', () => {
  const within = recovery(1_000)

  test('is valid when items of unknown outcome are sent again and acknowledged in time', () => {
    const found = check(within, (s) => {
      s.save('a', 'info')
      healed(s)
      s.save('a', 'duplicate')
    })
    expect(found).toMatchObject({ kind: 'valid', figures: { recoveredMs: 2 } })
  })

  test('is violated by a late or missing acknowledgement', () => {
    const late = (s: HistoryBuilder): void => {
      s.save('a', 'info')
      healed(s)
      s.beginSave('a')({ type: 'ok', result: 'created', id: 'id-a', tMono: 5_000 })
    }
    expect(check(within, late).kind).toBe('violated')
    const never = (s: HistoryBuilder): void => {
      s.save('a', 'info')
      healed(s)
      s.save('a', 'info')
      s.save('b', 'created')
    }
    expect(check(within, never).kind).toBe('violated')
    const nobody = (s: HistoryBuilder): void => {
      healed(s)
      s.save('a', 'info')
    }
    expect(check(within, nobody).kind).toBe('violated')
  })

  test('is inconclusive when nothing was healed, sent after the healing, or sent again', () => {
    expect(check(within, (s) => s.save('a', 'created')).kind).toBe('inconclusive')
    expect(check(within, healed).kind).toBe('inconclusive')
    const other = (s: HistoryBuilder): void => {
      s.save('a', 'info')
      healed(s)
      s.save('b', 'created')
    }
    expect(check(within, other).kind).toBe('inconclusive')
  })
})

describe('recoveryUnderLoad', () => {
  const within = recoveryUnderLoad(100)

  test('measures the time to the first acknowledgement of a request sent after the healing', () => {
    const build = (s: HistoryBuilder): void => {
      const open = s.beginSave('a')
      healed(s)
      open({ type: 'ok', result: 'created', id: 'id-a' })
      s.save('b', 'info')
      s.save('b', 'created')
      s.save('c', 'fail')
    }
    expect(check(within, build)).toMatchObject({ kind: 'valid', figures: { recoveredMs: 5 } })
    expect(check(recoveryUnderLoad(4), build)).toMatchObject({ kind: 'violated' })
  })

  test('is violated by a service that acknowledges nothing after the healing', () => {
    const silent = (s: HistoryBuilder): void => {
      s.save('a', 'created')
      healed(s)
      s.save('b', 'fail')
    }
    expect(check(within, silent).kind).toBe('violated')
    const andOpen = (s: HistoryBuilder): void => {
      s.save('a', 'info')
      healed(s)
      s.save('b', 'info')
    }
    expect(check(within, andOpen).kind).toBe('violated')
  })

  test('is violated by an item that was sent again and never acknowledged', () => {
    const found = check(within, (s) => {
      s.save('a', 'info')
      healed(s)
      s.save('a', 'info')
      s.save('b', 'created')
    })
    expect(found.counterExamples[0]?.says).toMatch(/content a was sent again after all faults/)
  })

  test.each<[string, (s: HistoryBuilder) => void]>([
    ['the history has no moment of healing', (s) => s.save('a', 'created')],
    [
      'nothing is sent after it',
      (s) => {
        s.save('a', 'created')
        healed(s)
      },
    ],
    [
      'an unknown outcome is not settled',
      (s) => {
        s.save('a', 'info')
        healed(s)
        s.save('b', 'created')
      },
    ],
    [
      'the record was truncated, and the only acknowledgement may be missing',
      (s) => {
        healed(s)
        s.beginSave('a')
        s.phase('load-cut')
      },
    ],
    [
      'the record was truncated, and requests that may have been sent were added to it',
      (s) => {
        healed(s)
        s.save('a', 'created')
        s.beginSave('b')
        s.phase('load-cut')
      },
    ],
  ])('is inconclusive where %s', (_, build) => {
    expect(check(within, build).kind).toBe('inconclusive')
  })

  test('judges a truncated record by the requests with a response', () => {
    const build = (s: HistoryBuilder): void => {
      s.save('a', 'info')
      healed(s)
      s.save('a', 'duplicate')
      s.phase('load-cut')
    }
    expect(check(within, build).kind).toBe('valid')
    expect(check(recoveryUnderLoad(1), build).kind).toBe('violated')
  })
})
