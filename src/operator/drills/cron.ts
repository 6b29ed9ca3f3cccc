/** Times of a cron schedule in a time zone, within a window of the day. croner knows gaps and repeated hours. */
import { Cron } from 'croner'
import { IngotError, reasonOf } from '../../errors/error.ts'

export interface CronTimes {
  /** Five fields of cron. */
  readonly schedule: string
  /** IANA name. */
  readonly timeZone: string
  /** Times of day, `HH:MM`, between which a start is allowed. `to` may be on the next day. Default: the whole day. */
  readonly window?: { readonly from: string; readonly to: string } | undefined
}

/**
 * Times outside the window that are passed over before the schedule is said to have none. The days of a schedule have the
 * same times, so two days of minutes are enough.
 */
const MAX_PASSED = 2 * 1_440

/**
 * Returns the first time after `afterMs`, or undefined if there is none; both in milliseconds since the Unix epoch. A time
 * of day that a change of the clocks leaves out is moved to the end of the gap; one that it repeats counts once. Throws
 * CONFIG_INVALID for a schedule or a time zone that cannot be read.
 */
export function nextTime(times: CronTimes, afterMs: number): number | undefined {
  const cron = cronOf(times)
  const isAllowed = windowOf(times)
  let after = new Date(afterMs)
  for (let passed = 0; passed < MAX_PASSED; passed++) {
    const next = cron.nextRun(after)
    if (next === null) return undefined
    if (isAllowed(next)) return next.getTime()
    after = next
  }
  return undefined
}

function cronOf({ schedule, timeZone }: CronTimes): Cron {
  try {
    // the format is refused here, and not at the first use
    Intl.DateTimeFormat('en', { timeZone }).resolvedOptions()
  } catch {
    throw new IngotError('CONFIG_INVALID', `"${timeZone}" is no time zone: write a name such as Europe/Vienna`)
  }
  try {
    return new Cron(schedule, { timezone: timeZone, paused: true, mode: '5-part' })
  } catch (cause) {
    throw new IngotError('CONFIG_INVALID', `"${schedule}" is no schedule of cron: ${reasonOf(cause)}`)
  }
}

function windowOf({ window, timeZone }: CronTimes): (time: Date) => boolean {
  if (window === undefined) return () => true
  const { from, to } = window
  const format = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZone })
  return (time) => {
    const at = format.format(time)
    return from < to ? from <= at && at < to : at >= from || at < to
  }
}
