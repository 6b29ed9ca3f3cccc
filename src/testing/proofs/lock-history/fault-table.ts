/** Renders what faults did to several lock services as Markdown. Pure. */
import type { FaultFigures } from './fault-figures.ts'
import type { LockHistoryResult } from './lock-history.ts'

const HEAD = [
  '# Faults on lock services',
  '',
  '"Pause": the longest time without a grant of any key, from the fault to the next one. "Overlaps": grants of a key while',
  'another client held it. "Out of order": grants whose fence is not above that of the grant before.',
  '',
  '| service | verdict | fault | times | pause | overlaps | out of order |',
  '| --- | --- | --- | --- | --- | --- | --- |',
]

/** Returns the table, with a line for each fault. */
export function faultTable(results: readonly Pick<LockHistoryResult, 'version' | 'verdict' | 'figures'>[]): string {
  const rows = results.flatMap(({ version, verdict, figures }) => {
    const start = `| ${version} | ${verdict.kind} |`
    return figures.length === 0 ? [`${start} none | – | – | – | – |`] : figures.map((one) => `${start} ${cellsOf(one)}`)
  })
  return `${[...HEAD, ...rows].join('\n')}\n`
}

function cellsOf({ fault, times, pauseMs, overlaps, outOfOrder }: FaultFigures): string {
  return `${fault} | ${times} | ${(pauseMs / 1_000).toFixed(1)} s | ${overlaps} | ${outOfOrder} |`
}
