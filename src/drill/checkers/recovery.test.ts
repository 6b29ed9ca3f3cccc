import { describe, expect, test } from 'vitest'
import { type HistoryBuilder, historyOf, holding } from '../../testing/history-builder.ts'
import { recovery, recoveryUnderLoad } from './recovery.ts'
import type { Checker } from './verdict.ts'

const check = (checker: Checker, tell: (story: HistoryBuilder) => void) => checker(historyOf(tell), holding())
const healed = (s: HistoryBuilder): void => s.phase('healed')

describe('recovery', () => {
  const within = recovery(1_000)

  test('is valid when what nobody knew is sent again and answered in time', () => {
    const found = check(within, (s) => {
      s.save('a', 'info')
      healed(s)
      s.save('a', 'duplicate')
    })
    expect(found).toMatchObject({ kind: 'valid', figures: { recoveredMs: 2 } })
  })

  test('is violated by an answer that comes late, or never', () => {
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

  test('is inconclusive when nothing was healed, sent after it, or sent again', () => {
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

  test('is the time to the first acknowledgement of what is sent after everything is healed', () => {
    const tell = (s: HistoryBuilder): void => {
      const underWay = s.beginSave('a')
      healed(s)
      underWay({ type: 'ok', result: 'created', id: 'id-a' })
      s.save('b', 'info')
      s.save('b', 'created')
      s.save('c', 'fail')
    }
    expect(check(within, tell)).toMatchObject({ kind: 'valid', figures: { recoveredMs: 5 } })
    expect(check(recoveryUnderLoad(4), tell)).toMatchObject({ kind: 'violated' })
  })

  test('is violated by a service that acknowledges nothing after everything is healed', () => {
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

  test('is violated by what was sent again and never acknowledged', () => {
    const found = check(within, (s) => {
      s.save('a', 'info')
      healed(s)
      s.save('a', 'info')
      s.save('b', 'created')
    })
    expect(found.counterExamples[0]?.says).toMatch(/content a was sent again after all faults/)
  })

  test.each<[string, (s: HistoryBuilder) => void]>([
    ['nobody says when it was healed', (s) => s.save('a', 'created')],
    [
      'nothing is sent after',
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
      'the record was cut, and with it perhaps the only answer',
      (s) => {
        healed(s)
        s.beginSave('a')
        s.phase('load-cut')
      },
    ],
    [
      'the record was cut, and what may have been sent was added to it',
      (s) => {
        healed(s)
        s.save('a', 'created')
        s.beginSave('b')
        s.phase('load-cut')
      },
    ],
  ])('is inconclusive where %s', (_, tell) => {
    expect(check(within, tell).kind).toBe('inconclusive')
  })

  test('is judged in a record that was cut by what it has answers to', () => {
    const tell = (s: HistoryBuilder): void => {
      s.save('a', 'info')
      healed(s)
      s.save('a', 'duplicate')
      s.phase('load-cut')
    }
    expect(check(within, tell).kind).toBe('valid')
    expect(check(recoveryUnderLoad(1), tell).kind).toBe('violated')
  })
})
