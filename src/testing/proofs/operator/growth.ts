/** Decides whether a process grows, from samples over time. Pure. */

export interface Sample {
  readonly residentMiB: number
  /** Open files and sockets. */
  readonly handles: number
  /** Watches that the process has open on the API server. */
  readonly watches: number
}

export interface Growth {
  /** Medians of the first and of the last third, after the first tenth, in which caches fill. */
  readonly first: Sample
  readonly last: Sample
  /** What grew, as sentences. */
  readonly findings: readonly string[]
}

const WARM_UP = 0.1
/** The heap of V8 is not collected at the same fill each time. */
const MEMORY_FACTOR = 1.15
const MEMORY_MIB = 5
/** A fault may be going on in one of the thirds: connections that are being made count too. */
const HANDLES = 8

/** Throws RangeError for fewer than ten samples. */
export function growthOf(samples: readonly Sample[]): Growth {
  if (samples.length < 10) throw new RangeError(`${samples.length} samples are too few`)
  const warm = samples.slice(Math.ceil(samples.length * WARM_UP))
  const third = Math.floor(warm.length / 3)
  const [first, last] = [mediansOf(warm.slice(0, third)), mediansOf(warm.slice(-third))]
  const limits: readonly (readonly [keyof Sample, number])[] = [
    ['residentMiB', first.residentMiB * MEMORY_FACTOR + MEMORY_MIB],
    ['handles', first.handles + HANDLES],
    ['watches', first.watches],
  ]
  const findings = limits.flatMap(([name, limit]) =>
    last[name] > limit ? [`${name} grew from ${first[name]} to ${last[name]}`] : [],
  )
  return { first, last, findings }
}

function mediansOf(samples: readonly Sample[]): Sample {
  const median = (name: keyof Sample): number => {
    const values = samples.map((sample) => sample[name]).toSorted((a, b) => a - b)
    return Math.round(values[Math.floor(values.length / 2)] ?? Number.NaN)
  }
  return { residentMiB: median('residentMiB'), handles: median('handles'), watches: median('watches') }
}
