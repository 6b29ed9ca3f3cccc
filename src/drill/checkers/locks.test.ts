import { describe, expect, test } from 'vitest'
import { createHistoryBuilder, type HistoryBuilder, historyOf, holding } from '../../testing/history-builder.ts'
import type { FinalStore } from './final-store.ts'
import { fencesRise, oneHolder } from './locks.ts'
import type { Finding } from './verdict.ts'

/** Returns a store with register rows given as [version, fence], in commit order. */
function register(...rows: readonly (readonly [number, number])[]): FinalStore {
  return { rows: [], register: rows.map(([version, fence]) => ({ key: 'r', value: `${version}`, fence: `${fence}` })) }
}

const fences = (build: (builder: HistoryBuilder) => void, store: FinalStore): Finding =>
  fencesRise(historyOf(build), store)
const holders = (build: (builder: HistoryBuilder) => void): Finding => oneHolder(historyOf(build))

describe('fencesRise', () => {
  const two = (s: HistoryBuilder): void => {
    s.write(1, 5, 'ok')
    s.write(2, 7, 'ok')
  }

  test('is valid when fences and versions rise in commit order', () => {
    expect(fences(two, register([1, 5], [2, 7])).kind).toBe('valid')
  })

  test('compares fences as numbers beyond the exact range of a double', () => {
    const builder = createHistoryBuilder()
    const big = [9_007_199_254_740_993n, 9_007_199_254_740_992n].map(String)
    const rows = big.map((fence, at) => ({ key: 'r', value: `${at + 1}`, fence }))
    for (const { key, value, fence } of rows) {
      builder.add({ op: fence, f: 'write', type: 'invoke', key, value, fence })
    }
    expect(fencesRise(builder.events, { rows: [], register: rows }).kind).toBe('violated')
  })

  test('is inconclusive without writes', () => {
    expect(fences(() => {}, holding()).kind).toBe('inconclusive')
  })

  test('is violated by a lower fence after a higher one', () => {
    const found = fences(
      (s) => {
        s.write(1, 7, 'ok')
        s.write(2, 5, 'ok')
      },
      register([1, 7], [2, 5]),
    )
    expect(found.kind).toBe('violated')
    expect(found.counterExamples[0]?.events.map(({ op }) => op)).toEqual(['o1', 'o1', 'o2', 'o2'])
  })

  test('is violated by a version that two writers made, which is a lost update', () => {
    const lost = (s: HistoryBuilder): void => {
      s.write(1, 5, 'ok')
      s.write(1, 7, 'ok')
    }
    expect(fences(lost, register([1, 5], [1, 7])).kind).toBe('violated')
  })

  test('is violated by an acknowledged write that is absent', () => {
    expect(fences(two, register([1, 5])).kind).toBe('violated')
  })

  test('is violated by a stored write that was refused or never requested', () => {
    const refused = (s: HistoryBuilder): void => {
      s.write(1, 5, 'ok')
      s.write(2, 7, 'fail')
    }
    expect(fences(refused, register([1, 5], [2, 7])).kind).toBe('violated')
    expect(fences((s) => s.write(1, 5, 'ok'), register([1, 5], [2, 6])).kind).toBe('violated')
  })

  test('a write of unknown outcome may be present or absent', () => {
    const unknown = (s: HistoryBuilder): void => {
      s.write(1, 5, 'ok')
      s.write(2, 7, 'info')
    }
    expect(fences(unknown, register([1, 5], [2, 7])).kind).toBe('valid')
    expect(fences(unknown, register([1, 5])).kind).toBe('valid')
  })

  test('is inconclusive when a holder was stopped and no stale write was refused', () => {
    const stopped = (s: HistoryBuilder): void => {
      two(s)
      s.fault('holder-stop')
    }
    expect(fences(stopped, register([1, 5], [2, 7])).kind).toBe('inconclusive')
    const caught = (s: HistoryBuilder): void => {
      stopped(s)
      s.write(2, 6, 'fail')
    }
    expect(fences(caught, register([1, 5], [2, 7]))).toMatchObject({ kind: 'valid', figures: { refused: 1 } })
  })
})

describe('oneHolder', () => {
  test('is valid when each hold ends before the next begins, and inconclusive without holds', () => {
    const one = (s: HistoryBuilder): void => {
      s.hold(1, 10, 20)
      s.hold(2, 20, 30)
    }
    expect(holders(one).kind).toBe('valid')
    expect(holders(() => {}).kind).toBe('inconclusive')
  })

  test('is violated by two concurrent holders', () => {
    const found = holders((s) => {
      s.hold(1, 10, 25)
      s.hold(2, 20, 30)
    })
    expect(found.kind).toBe('violated')
    expect(found.counterExamples[0]?.says).toContain('for 5 ms')
  })

  test('only counts the overlap when locks were lost between the two grants', () => {
    const found = holders((s) => {
      s.hold(1, 10, 25)
      s.fault('redis-flush', { losesLocks: true, tMono: 15 })
      s.hold(2, 20, 30)
    })
    expect(found).toMatchObject({ kind: 'valid', figures: { overlapsAfterLoss: 1 } })
    const elsewhen = holders((s) => {
      s.fault('redis-flush', { losesLocks: true, tMono: 5 })
      s.hold(1, 10, 25)
      s.hold(2, 20, 30)
    })
    expect(elsewhen.kind).toBe('violated')
  })
})
