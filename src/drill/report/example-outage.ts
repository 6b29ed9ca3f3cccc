/** Example outage for the tests of goals and reports. */
import type { Outage } from './outage.ts'

/** The outage of a drill without failed writes. */
export const CALM: Outage = {
  writes: 100,
  withoutGoodMs: 300,
  firstGoodMs: 50,
  slowestMs: 200,
  failingMs: 0,
  failures: {},
  writesBefore: 50,
  failedBefore: 0,
}
