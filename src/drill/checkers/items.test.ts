import { describe, expect, test } from 'vitest'
import { type HistoryBuilder, historyOf, holding, rowsOf } from '../../testing/history-builder.ts'
import type { FinalStore } from './final-store.ts'
import { createdOnce, noPhantom, nothingLost, oneId, sameContent, storedOnce } from './items.ts'
import type { Checker, Finding } from './verdict.ts'

function check(checker: Checker, tell: (story: HistoryBuilder) => void, store: FinalStore = holding('a')): Finding {
  return checker(historyOf(tell), store)
}

const ops = ({ counterExamples }: Finding): readonly string[] => [
  ...new Set(counterExamples.flatMap(({ events }) => events.map(({ op }) => op))),
]

test.each([nothingLost, createdOnce, sameContent, noPhantom, oneId])(
  '%o says nothing of an empty history',
  (checker) => {
    expect(check(checker, () => {}).kind).toBe('inconclusive')
  },
)

test('storedOnce says nothing of an empty store', () => {
  expect(check(storedOnce, (s) => s.save('a', 'created'), holding()).kind).toBe('inconclusive')
})

describe('nothingLost', () => {
  test('is valid when every acknowledged content is stored', () => {
    const found = check(nothingLost, (s) => {
      s.save('a', 'created')
      s.save('b', 'info')
      s.save('d', 'fail')
    })
    expect(found).toMatchObject({ kind: 'valid', figures: { acknowledged: 1, stored: 1 } })
  })

  test('is violated by an acknowledged content that is not stored, and shows its operations', () => {
    const found = check(nothingLost, (s) => {
      s.save('a', 'created')
      s.save('b', 'info')
      s.save('b', 'duplicate')
    })
    expect(found.kind).toBe('violated')
    expect(ops(found)).toEqual(['o2', 'o3'])
  })

  test('a content that was deleted may be gone, and one that a lost deletion may have met', () => {
    const found = check(nothingLost, (s) => {
      s.save('a', 'created')
      s.save('b', 'created')
      s.remove('b', 'deleted')
      s.save('d', 'created')
      s.remove('d', 'info')
    })
    expect(found.kind).toBe('valid')
  })

  test('is violated when a content is gone that was saved again after its deletion', () => {
    const found = check(nothingLost, (s) => {
      s.save('b', 'created')
      s.remove('b', 'deleted')
      s.save('b', 'created')
    })
    expect(found.kind).toBe('violated')
  })

  test('is violated when what was deleted is there, unless somebody may have saved it since', () => {
    const deleted = (s: HistoryBuilder): void => {
      s.save('a', 'created')
      s.remove('a', 'deleted')
    }
    expect(check(nothingLost, deleted).kind).toBe('violated')
    const again = (s: HistoryBuilder): void => {
      deleted(s)
      s.save('a', 'info')
    }
    expect(check(nothingLost, again).kind).toBe('valid')
  })

  test('a row with other bytes than were sent is not missing: sameContent has it', () => {
    const store = { rows: [{ collection: 'c', id: 'id-a', bytes: 'torn' }] }
    expect(check(nothingLost, (s) => s.save('a', 'created'), store).kind).toBe('valid')
  })
})

describe('createdOnce', () => {
  test('is valid for a creation with duplicates around it, whatever ended first', () => {
    const found = check(createdOnce, (s) => {
      const create = s.beginSave('a')
      const again = s.beginSave('a')
      again({ type: 'ok', result: 'duplicate', id: 'id-a' })
      create({ type: 'ok', result: 'created', id: 'id-a' })
      s.save('a', 'duplicate')
    })
    expect(found.kind).toBe('valid')
  })

  test('is violated by two creations, and shows both', () => {
    const found = check(createdOnce, (s) => {
      s.save('a', 'created')
      s.save('b', 'created')
      s.save('a', 'created')
    })
    expect(found.kind).toBe('violated')
    expect(ops(found)).toEqual(['o1', 'o3'])
  })

  test('is violated by a duplicate of what nobody can have saved', () => {
    const early = (s: HistoryBuilder): void => {
      s.save('a', 'duplicate')
      s.save('a', 'created')
    }
    expect(check(createdOnce, early).kind).toBe('violated')
  })

  test('a save of unknown end may have created, but is no excuse for one that failed', () => {
    const unknown = (result: 'info' | 'fail') => (s: HistoryBuilder) => {
      s.save('a', result)
      s.save('a', 'duplicate')
    }
    expect(check(createdOnce, unknown('info')).kind).toBe('valid')
    expect(check(createdOnce, unknown('fail')).kind).toBe('violated')
  })

  test('allows a creation after each deletion, and no duplicate in between', () => {
    const found = check(createdOnce, (s) => {
      s.save('a', 'created')
      s.remove('a', 'deleted')
      s.save('a', 'created')
    })
    expect(found.kind).toBe('valid')
    const stale = check(createdOnce, (s) => {
      s.save('a', 'created')
      s.remove('a', 'deleted')
      s.save('a', 'duplicate')
    })
    expect(stale.kind).toBe('violated')
    expect(stale.counterExamples[0]?.says).toContain('was absent when operation o3 was answered "duplicate"')
  })

  test('is violated by a deletion that finds nothing where something is', () => {
    const found = check(createdOnce, (s) => {
      s.save('a', 'created')
      s.remove('a', 'absent')
    })
    expect(found.kind).toBe('violated')
  })

  test('tells contents of different collections apart', () => {
    const found = check(createdOnce, (s) => {
      s.save('a', 'created')
      s.save('a', 'created', { collection: 'other' })
    })
    expect(found.kind).toBe('valid')
  })

  test('throws, and is thus inconclusive, when an end has no begin', () => {
    expect(() => check(createdOnce, (s) => s.add({ op: 'x', f: 'save', type: 'ok', key: 'a' }))).toThrow(/never begun/)
  })
})

describe('storedOnce', () => {
  const twice = [...rowsOf('a'), ...rowsOf('a')]

  test('is valid for rows of which each is another content', () => {
    const found = check(storedOnce, (s) => s.save('a', 'created'), { rows: rowsOf('a', 'b'), saves: rowsOf('a', 'b') })
    expect(found.kind).toBe('valid')
  })

  test('is violated by a content that is stored twice, in two spellings even', () => {
    expect(check(storedOnce, (s) => s.save('a', 'created'), { rows: twice }).kind).toBe('violated')
    const spelled = check(
      storedOnce,
      (s) => {
        s.save('a', 'created', { bytes: 'one' })
        s.save('a', 'duplicate', { bytes: 'two' })
      },
      { rows: ['one', 'two'].map((bytes) => ({ collection: 'c', id: bytes, bytes })) },
    )
    expect(spelled.kind).toBe('violated')
  })

  test('a content saved twice in the log is a violation, and without fencing a figure', () => {
    const save = (s: HistoryBuilder): void => s.save('a', 'created')
    const store = { rows: rowsOf('a'), saves: twice }
    expect(check(storedOnce, save, { ...store, fencing: 'on' }).kind).toBe('violated')
    expect(check(storedOnce, save, { ...store, fencing: 'off' })).toMatchObject({
      kind: 'valid',
      figures: { doubleSaves: 1 },
    })
  })
})

describe('sameContent', () => {
  const row = (bytes: string): FinalStore => ({ rows: [{ collection: 'c', id: 'id-a', bytes }] })
  const spelled = (s: HistoryBuilder): void => {
    s.save('a', 'created', { bytes: 'one' })
    s.save('a', 'duplicate', { bytes: 'two' })
  }

  test('is valid when the spelling that was created is stored', () => {
    expect(check(sameContent, spelled, row('one')).kind).toBe('valid')
  })

  test('is violated by another spelling, by other bytes, and by those of another content', () => {
    expect(check(sameContent, spelled, row('two')).kind).toBe('violated')
    expect(check(sameContent, spelled, row('torn')).kind).toBe('violated')
    const other = (s: HistoryBuilder): void => {
      spelled(s)
      s.save('b', 'created', { bytes: 'three' })
    }
    expect(check(sameContent, other, row('three')).kind).toBe('violated')
  })

  test('any spelling will do when nobody was told whose was created', () => {
    const unknown = (s: HistoryBuilder): void => {
      s.save('a', 'info', { bytes: 'one' })
      s.save('a', 'duplicate', { bytes: 'two' })
    }
    for (const bytes of ['one', 'two']) expect(check(sameContent, unknown, row(bytes)).kind).toBe('valid')
  })
})

describe('noPhantom', () => {
  test('is valid for what was sent, known to be saved or not', () => {
    expect(check(noPhantom, (s) => s.save('a', 'info')).kind).toBe('valid')
  })

  test('is violated by what nobody sent', () => {
    const found = check(noPhantom, (s) => s.save('a', 'created'), holding('a', 'ghost'))
    expect(found.kind).toBe('violated')
    expect(found.counterExamples[0]?.says).toContain('id-ghost')
  })
})

describe('oneId', () => {
  test('is valid when all answers for a content agree', () => {
    const found = check(oneId, (s) => {
      s.save('a', 'created')
      s.save('a', 'duplicate')
      s.save('b', 'created')
    })
    expect(found).toMatchObject({ kind: 'valid', figures: { ids: 2 } })
  })

  test('is violated by two ids of one content, and by one id of two contents', () => {
    const split = check(oneId, (s) => {
      s.save('a', 'created', { id: 'x' })
      s.save('a', 'duplicate', { id: 'y' })
    })
    expect(split.kind).toBe('violated')
    const merged = check(oneId, (s) => {
      s.save('a', 'created', { id: 'x' })
      s.save('b', 'duplicate', { id: 'x' })
    })
    expect(merged.kind).toBe('violated')
    expect(ops(merged)).toEqual(['o1', 'o2'])
  })
})
