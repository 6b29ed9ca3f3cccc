/** Decides whether a release may go on, by the last drills of a schedule. Pure. */
import { parseDurationMs } from '../../std/duration.ts'

/** What a gate knows of a DrillSchedule. */
export interface GatedSchedule {
  readonly release: string
  /** Longest age of a pass, where the request names none. */
  readonly freshnessMs: number
  readonly lastPassed: { readonly name: string; readonly at: string } | undefined
  readonly lastVerdict: string | undefined
  readonly lastDrill: string | undefined
  readonly next: string | undefined
  readonly active: string | undefined
}

export type GateReason = 'Passed' | 'NeverPassed' | 'TooOld' | 'LastFailed'

export interface Decision {
  readonly passed: boolean
  readonly reason: GateReason
  /** One sentence. */
  readonly message: string
}

/**
 * Returns the decision. A gate is open if a drill passed within `maxAgeMs`, and none failed since. A drill that is
 * inconclusive or aborted shows nothing, so it changes nothing.
 */
export function decideGate(
  { lastPassed, lastVerdict, lastDrill }: GatedSchedule,
  maxAgeMs: number,
  nowMs: number,
): Decision {
  const atMs = lastPassed === undefined ? Number.NaN : Date.parse(lastPassed.at)
  if (lastVerdict === 'Fail') return closed('LastFailed', `the drill ${lastDrill ?? ''} failed`.replace('  ', ' '))
  if (lastPassed === undefined || Number.isNaN(atMs)) {
    const seen = lastVerdict === undefined ? 'no drill has finished' : `the last verdict is ${lastVerdict}`
    return closed('NeverPassed', `no drill of this schedule has passed: ${seen}`)
  }
  const ageMs = Math.max(0, nowMs - atMs)
  const since = `the drill ${lastPassed.name} passed ${ageText(ageMs)} ago`
  if (ageMs > maxAgeMs) return closed('TooOld', `${since}, which is longer than ${ageText(maxAgeMs)}`)
  return { passed: true, reason: 'Passed', message: since }
}

function closed(reason: GateReason, message: string): Decision {
  return { passed: false, reason, message }
}

function ageText(ms: number): string {
  const minutes = Math.floor(ms / 60_000)
  if (minutes < 60) return minutes === 0 ? `${Math.floor(ms / 1_000)}s` : `${minutes}m`
  return minutes % 60 === 0 ? `${minutes / 60}h` : `${Math.floor(minutes / 60)}h${minutes % 60}m`
}

/** A release that was drilled a year ago was not drilled. */
const MAX_AGE_MS = 366 * 86_400_000

export type GateQuery = { readonly maxAgeMs: number | undefined } | { readonly wrong: string }

/** Reads the query of a request. An unknown parameter is refused: a wrong name would open the gate for longer. */
export function gateQuery(query: URLSearchParams): GateQuery {
  const unknown = [...query.keys()].find((name) => name !== 'maxAge')
  if (unknown !== undefined) return { wrong: `the parameter ${JSON.stringify(unknown)} is unknown, there is maxAge` }
  const values = query.getAll('maxAge')
  if (values.length > 1) return { wrong: 'maxAge is given twice' }
  const [text] = values
  if (text === undefined) return { maxAgeMs: undefined }
  const ms = parseDurationMs(text)
  if (ms !== undefined && ms > 0 && ms <= MAX_AGE_MS) return { maxAgeMs: ms }
  return { wrong: `maxAge is ${JSON.stringify(text.slice(0, 40))}, write a duration up to 366d, such as 24h or 7d` }
}
