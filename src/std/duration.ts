/** Durations as they are written in settings: "250ms", "30s", "5m", "24h", "7d". */

const UNIT_MS: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 }

const FORM = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/

/** Returns the milliseconds of a duration such as "1.5s", or `undefined` if the text is not a duration. */
export function parseDurationMs(text: string): number | undefined {
  const match = FORM.exec(text.trim())
  if (match === null) return undefined
  return Number(match[1]) * (UNIT_MS[match[2] ?? ''] ?? Number.NaN)
}

/** Returns the milliseconds of a duration that a schema has validated. Returns 0 for an invalid one. */
export function durationOf(text: string): number {
  return parseDurationMs(text) ?? 0
}

/** Returns the shortest exact text for a whole number of milliseconds: "90s" for 90000. */
export function formatDuration(ms: number): string {
  for (const [unit, unitMs] of Object.entries(UNIT_MS)) {
    if (ms >= unitMs && ms % unitMs === 0) return `${ms / unitMs}${unit}`
  }
  return `${ms}ms`
}
