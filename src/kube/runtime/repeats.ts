/** A failure that repeats is logged at the first time, the second, the fourth, the eighth and so on. Pure. */

/** Returns true if the failure with this number, from 1, is to be logged. */
export function isLogged(failure: number): boolean {
  return Number.isInteger(Math.log2(failure))
}
