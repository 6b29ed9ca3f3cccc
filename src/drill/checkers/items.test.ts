import { describe, expect, test } from 'vitest'
import { type HistoryBuilder, historyOf, holding, rowsOf } from '../../testing/history-builder.ts'
import type { FinalStore } from './final-store.ts'
import { createdOnce, noPhantom, nothingLost, oneId, sameContent, storedOnce } from './items.ts'
import type { Checker, Finding } from './verdict.ts'

function check(checker: Checker, build: (builder: HistoryBuilder) => void, store: FinalStore = holding('a')): Finding {
  return checker(historyOf(build), store)
}

const ops = ({ counterExamples }: Finding): readonly string[] => [
  ...new Set(counterExamples.flatMap(({ events }) => events.map(({ op }) => op))),
]

test.each([nothingLost, createdOnce, sameContent, noPhantom, oneId])(
  '%o is inconclusive on an empty history',
  (checker) => {
    expect(check(checker, () => {}).kind).toBe('inconclusive')
  },
)

test('storedOnce is inconclusive on an empty store', () => {
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

  test('a content may be absent after a deletion, even one of unknown outcome', () => {
    const found = check(nothingLost, (s) => {
      s.save('a', 'created')
      s.save('b', 'created')
      s.remove('b', 'deleted')
      s.save('d', 'created')
      s.remove('d', 'info')
    })
    expect(found.kind).toBe('valid')
  })

  test('is violated when a content saved again after its deletion is absent', () => {
    const found = check(nothingLost, (s) => {
      s.save('b', 'created')
      s.remove('b', 'deleted')
      s.save('b', 'created')
    })
    expect(found.kind).toBe('violated')
  })

  test('is violated when a deleted content is present, unless a client may have saved it since', () => {
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

  test('a row with other bytes than were sent is not missing: sameContent reports it', () => {
    const store = { rows: [{ collection: 'c', id: 'id-a', bytes: 'torn' }] }
    expect(check(nothingLost, (s) => s.save('a', 'created'), store).kind).toBe('valid')
  })
})

describe('createdOnce', () => {
  test('is valid for a creation with duplicates around it, whichever ended first', () => {
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

  test('is violated by a duplicate of a content that no client can have saved', () => {
    const early = (s: HistoryBuilder): void => {
      s.save('a', 'duplicate')
      s.save('a', 'created')
    }
    expect(check(createdOnce, early).kind).toBe('violated')
  })

  test('a save of unknown outcome may have created the content, and a failed one may not', () => {
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
    expect(stale.counterExamples[0]?.says).toContain('was absent when operation o3 returned "duplicate"')
  })

  test('is violated by a deletion that finds nothing where the content is present', () => {
    const found = check(createdOnce, (s) => {
      s.save('a', 'created')
      s.remove('a', 'absent')
    })
    expect(found.kind).toBe('violated')
  })

  test('distinguishes contents of different collections', () => {
    const found = check(createdOnce, (s) => {
      s.save('a', 'created')
      s.save('a', 'created', { collection: 'other' })
    })
    expect(found.kind).toBe('valid')
  })

  test('throws, and is thus inconclusive, when a completion has no invocation', () => {
    expect(() => check(createdOnce, (s) => s.add({ op: 'x', f: 'save', type: 'ok', key: 'a' }))).toThrow(/never began/)
  })
})

describe('storedOnce', () => {
  const twice = [...rowsOf('a'), ...rowsOf('a')]

  test('is valid for rows with distinct contents', () => {
    const found = check(storedOnce, (s) => s.save('a', 'created'), { rows: rowsOf('a', 'b'), saves: rowsOf('a', 'b') })
    expect(found.kind).toBe('valid')
  })

  test('is violated by a content that is stored twice, even in two spellings', () => {
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

  test('a content saved twice in the log is a violation, and only a figure without fencing', () => {
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

  test('is violated by another spelling, by other bytes, and by the bytes of another content', () => {
    expect(check(sameContent, spelled, row('two')).kind).toBe('violated')
    expect(check(sameContent, spelled, row('torn')).kind).toBe('violated')
    const other = (s: HistoryBuilder): void => {
      spelled(s)
      s.save('b', 'created', { bytes: 'three' })
    }
    expect(check(sameContent, other, row('three')).kind).toBe('violated')
  })

  test('any spelling is valid when no client knows which one was created', () => {
    const unknown = (s: HistoryBuilder): void => {
      s.save('a', 'info', { bytes: 'one' })
      s.save('a', 'duplicate', { bytes: 'two' })
    }
    for (const bytes of ['one', 'two']) expect(check(sameContent, unknown, row(bytes)).kind).toBe('valid')
  })
})

describe('noPhantom', () => {
  test('is valid for contents that were sent, whether or not their save is known', () => {
    expect(check(noPhantom, (s) => s.save('a', 'info')).kind).toBe('valid')
  })

  test('is violated by a content that no client sent', () => {
    const found = check(noPhantom, (s) => s.save('a', 'created'), holding('a', 'ghost'))
    expect(found.kind).toBe('violated')
    expect(found.counterExamples[0]?.says).toContain('id-ghost')
  })
})

describe('oneId', () => {
  test('is valid when all responses for a content agree', () => {
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
