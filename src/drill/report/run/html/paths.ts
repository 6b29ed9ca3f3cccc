/** Paths of the charts, in units of an inner SVG. Pure. */
import type { Bucket } from './buckets.ts'
import { coordinate as c, logPosition } from './scale.ts'

interface Box {
  readonly wide: number
  readonly height: number
  /** Value at the upper edge. */
  readonly top: number
}

/** Returns the area under the acknowledged writes, in steps. A second without a write reaches the base line. */
export function loadPath(buckets: readonly Bucket[], { wide, height, top }: Box): string {
  if (buckets.length === 0) return ''
  const step = wide / buckets.length
  const steps = buckets.map(({ acknowledged, lowest }, index) => {
    const value = lowest === 0 ? 0 : acknowledged
    return `L${c(index * step)} ${yOf(value, top, height)}H${c((index + 1) * step)}`
  })
  return `M0 ${height}${steps.join('')}L${wide} ${height}Z`
}

/** Returns a bar for each bucket with a failed write. */
export function barPath(buckets: readonly Bucket[], { wide, height, top }: Box): string {
  const step = wide / buckets.length
  const bars = buckets.flatMap(({ failed }, index) => {
    if (failed === 0) return []
    return [`M${c(index * step)} ${height}V${yOf(failed, top, height)}h${c(step)}V${height}Z`]
  })
  return bars.join('')
}

/** Returns a line that is broken where no write was acknowledged. */
export function latencyPath(buckets: readonly Bucket[], column: 'p50Ms' | 'p99Ms', { wide, height, top }: Box): string {
  const step = wide / buckets.length
  let isOpen = false
  let path = ''
  for (const [index, bucket] of buckets.entries()) {
    const ms = bucket[column]
    if (ms !== undefined)
      path += `${isOpen ? 'L' : 'M'}${c((index + 0.5) * step)} ${c(logPosition(ms, 1, top, height))}`
    // a point without neighbours is drawn as a short line
    if (ms !== undefined && !isOpen) path += 'h0.1'
    isOpen = ms !== undefined
  }
  return path
}

const yOf = (value: number, top: number, height: number): string => c(height - Math.min(1, value / top) * height)
