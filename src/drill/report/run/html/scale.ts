/** Scales and ticks of the charts. Pure. */

const ROUND = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10]

/** Returns a round number that is not below `value`: one of `ROUND` times a power of ten. */
export function roundUp(value: number): number {
  if (value <= 1) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  const step = ROUND.find((one) => one * power >= value) ?? 10
  return Math.round(step * power * 10) / 10
}

const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600]

/** Returns at most `most` offsets within `seconds`, in seconds, in round steps from 0. */
export function timeTicks(seconds: number, most: number): readonly number[] {
  const step = STEPS_S.find((one) => seconds / one < most) ?? Math.ceil(seconds / most / 3_600) * 3_600
  return Array.from({ length: Math.floor(seconds / step) + 1 }, (_, index) => index * step)
}

/** Returns a position from 0 (top) to `height` for a logarithmic scale from `low` to `high`. */
export function logPosition(value: number, low: number, high: number, height: number): number {
  const part = Math.log(Math.max(value, low) / low) / Math.log(high / low)
  return height - Math.min(1, part) * height
}

/** Returns a coordinate with one decimal, which is finer than a pixel. */
export const coordinate = (value: number): string => String(Math.round(value * 10) / 10)
