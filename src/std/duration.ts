/** Durations as people write them in configuration: "250ms", "30s", "5m", "24h", "7d". */

const UNIT_MS: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 }

const FORM = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/

/** Milliseconds of a duration such as "1.5s"; `undefined` when the text is no duration. */
export function parseDurationMs(text: string): number | undefined {
  const match = FORM.exec(text.trim())
  if (match === null) return undefined
  return Number(match[1]) * (UNIT_MS[match[2] ?? ''] ?? Number.NaN)
}

/** As `parseDurationMs`, for a text that a schema has checked; 0 for one that it should not have let through. */
export function durationOf(text: string): number {
  return parseDurationMs(text) ?? 0
}

/** The shortest exact way to write a whole number of milliseconds: 90000 is "90s". */
export function formatDuration(ms: number): string {
  for (const [unit, unitMs] of Object.entries(UNIT_MS)) {
    if (ms >= unitMs && ms % unitMs === 0) return `${ms / unitMs}${unit}`
  }
  return `${ms}ms`
}
