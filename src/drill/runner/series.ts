/** Condenses the responses of a load to one value per second, for the time line of the report. Pure. */
import { operationsOf } from '../checkers/operations.ts'
import { endMs } from '../checkers/responses.ts'
import type { Event } from '../history.ts'
import type { Series } from '../report/model.ts'

const SECOND_MS = 1_000

/** Returns the columns. A response belongs to the second in which it came. */
export function seriesOf(load: readonly Event[]): Series {
  const saves = operationsOf(load, 'save').filter(({ invoke }) => !/^(settle|unknown)/.test(invoke.process))
  const responses = saves.map((one) => ({
    ms: endMs(one, one.invoke.tMono),
    tookMs: endMs(one, one.invoke.tMono) - one.invoke.tMono,
    isGood: one.outcome === 'ok',
  }))
  const times = responses.map(({ ms }) => Math.floor(ms / SECOND_MS))
  const first = times.reduce((least, one) => Math.min(least, one), Number.POSITIVE_INFINITY)
  const last = times.reduce((greatest, one) => Math.max(greatest, one), Number.NEGATIVE_INFINITY)
  if (!Number.isFinite(first)) return { fromMs: 0, acknowledged: [], failed: [], p50Ms: [], p99Ms: [] }
  const bySecond = Map.groupBy(responses, ({ ms }) => Math.floor(ms / SECOND_MS))
  const seconds = Array.from({ length: last - first + 1 }, (_, index) => bySecond.get(first + index) ?? [])
  const column = (value: (of: readonly { readonly tookMs: number; readonly isGood: boolean }[]) => number) =>
    seconds.map(value)
  return {
    fromMs: first * SECOND_MS,
    acknowledged: column((of) => of.filter(({ isGood }) => isGood).length),
    failed: column((of) => of.filter(({ isGood }) => !isGood).length),
    p50Ms: column((of) => percentile(of, 0.5)),
    p99Ms: column((of) => percentile(of, 0.99)),
  }
}

function percentile(of: readonly { readonly tookMs: number; readonly isGood: boolean }[], share: number): number {
  const times = of
    .filter(({ isGood }) => isGood)
    .map(({ tookMs }) => tookMs)
    .toSorted((a, b) => a - b)
  return Math.round(times[Math.ceil(share * times.length) - 1] ?? 0)
}

/** Returns failed writes by class, most frequent first. `lastMs` is the time of the last one, since the Unix epoch. */
export function errorsOf(load: readonly Event[]): readonly { name: string; count: number; lastMs: number }[] {
  const failed = operationsOf(load, 'save').filter(
    ({ invoke, outcome }) => outcome !== 'ok' && !invoke.process.startsWith('unknown'),
  )
  const byName = Map.groupBy(failed, ({ completion }) => completion?.error ?? 'no response')
  return [...byName]
    .map(([name, of]) => ({
      name,
      count: of.length,
      lastMs: of.reduce((greatest, one) => Math.max(greatest, endMs(one, one.invoke.tMono)), 0),
    }))
    .toSorted((a, b) => b.count - a.count)
}
