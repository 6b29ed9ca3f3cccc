import { describe, expect, test } from 'vitest'
import { createStory, holding, type Story } from '../../testing/story.ts'
import { faultsHappened, recovery } from './run.ts'
import { type Checker, findingOf, inconclusive, judge } from './verdict.ts'

function check(checker: Checker, tell: (story: Story) => void) {
  const story = createStory()
  tell(story)
  return checker(story.events, holding())
}

const healed = (s: Story): void => s.add({ op: 'h', f: 'phase', type: 'info', key: 'healed' })

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
    const late = (s: Story): void => {
      s.save('a', 'info')
      healed(s)
      s.beginSave('a')({ type: 'ok', result: 'created', id: 'id-a', tMono: 5_000 })
    }
    expect(check(within, late).kind).toBe('violated')
    const never = (s: Story): void => {
      s.save('a', 'info')
      healed(s)
      s.save('a', 'info')
      s.save('b', 'created')
    }
    expect(check(within, never).kind).toBe('violated')
    const nobody = (s: Story): void => {
      healed(s)
      s.save('a', 'info')
    }
    expect(check(within, nobody).kind).toBe('violated')
  })

  test('is inconclusive when nothing was healed, sent after it, or sent again', () => {
    expect(check(within, (s) => s.save('a', 'created')).kind).toBe('inconclusive')
    expect(check(within, healed).kind).toBe('inconclusive')
    const other = (s: Story): void => {
      s.save('a', 'info')
      healed(s)
      s.save('b', 'created')
    }
    expect(check(within, other).kind).toBe('inconclusive')
  })
})

describe('faultsHappened', () => {
  test('is valid when faults are proven, and counts them', () => {
    const found = check(faultsHappened, (s) => {
      s.fault('kill')
      s.fault('kill')
    })
    expect(found).toMatchObject({ kind: 'valid', figures: { kill: 2 } })
  })

  test('is inconclusive without faults, without proof, and when a kind never came about', () => {
    expect(check(faultsHappened, () => {}).kind).toBe('inconclusive')
    expect(check(faultsHappened, (s) => s.fault('kill', { proof: '' })).kind).toBe('inconclusive')
    const never = check(faultsHappened, (s) => {
      s.fault('kill')
      s.fault('stop', { type: 'fail' })
    })
    expect(never).toMatchObject({ kind: 'inconclusive', why: 'tried, and never came about: stop' })
  })
})

describe('judge', () => {
  const valid: Checker = () => findingOf([], {})
  const violated: Checker = () => findingOf([{ says: 'no', events: [] }], {})
  const unsure: Checker = () => inconclusive('who knows')
  const broken: Checker = () => {
    throw new Error('a slip')
  }
  const kind = (...checkers: readonly Checker[]) => judge(Object.fromEntries(checkers.entries()), [], holding()).kind

  test('takes the worst finding, and no checker for no verdict', () => {
    expect(kind(valid, valid)).toBe('valid')
    expect(kind(valid, unsure)).toBe('inconclusive')
    expect(kind(unsure, violated, valid)).toBe('violated')
    expect(kind()).toBe('inconclusive')
  })

  test('takes a checker that throws for inconclusive, and says what it threw', () => {
    const { checks, kind: whole } = judge({ broken }, [], holding())
    expect(whole).toBe('inconclusive')
    expect(checks['broken']?.why).toContain('a slip')
  })
})
