/** The fail points that tests see: on when their name stands in INGOT_FAILPOINTS, separated by commas. */
import type { FailpointName } from '../std/failpoint.ts'

const on = new Set((process.env['INGOT_FAILPOINTS'] ?? '').split(',').filter((name) => name !== ''))

export function failpoint(name: FailpointName): boolean {
  return on.has(name)
}
