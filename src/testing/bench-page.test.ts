import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ROOT } from '../drill/checkout.ts'
import { ingestSection, locksSection, withSection } from './bench-page.ts'

const machine = { node: 'v24.1.0', cpu: 'a processor', cores: 2 }

describe('the page of the benchmarks', () => {
  test('a run of bench:ingest becomes its origin and a row for each figure', () => {
    const text = ingestSection({
      machine,
      recordedAt: '2031-01-02',
      command: 'npm run bench:ingest',
      sections: [{ section: 'streams', load: [0.5, 2] }],
      rows: [
        { section: 'streams', measured: 'ratio', value: 1.5, unit: 'x', target: '>= 2', met: false },
        { section: 'streams', measured: 'rate', value: 131_000, unit: 'rows/s' },
      ],
    })
    expect(text).toContain('- Command: `npm run bench:ingest`')
    expect(text).toContain('- Load average: 0.5 to 2.0')
    expect(text).toContain('| streams | ratio | 1.50 x | ≥ 2 | **missed** |')
    expect(text).toContain('| streams | rate | 131000 rows/s |  |  |')
  })

  test('a run of bench:locks becomes a row for each target', () => {
    const target = { what: 'one key: served', value: 1, limit: 1, atMost: false, met: true }
    expect(locksSection({ machine: { ...machine, load: [1, 2, 3] }, targets: [target] })).toContain(
      '| one key: served | 1.00 | ≥ 1 | met |',
    )
  })

  test('the page has a section for each benchmark, and a name that it lacks is refused', () => {
    const page = readFileSync(join(ROOT, 'docs', 'benchmarks.md'), 'utf8')
    for (const name of ['ingest', 'locks'])
      expect(withSection(page, name, 'NEW')).toMatch(new RegExp(`bench:${name} -->\n\nNEW\n\n<!-- end`))
    expect(() => withSection(page, 'nothing', '')).toThrow(RangeError)
  })
})
