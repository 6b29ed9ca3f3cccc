/** Judges the writes of several operators to one API server. Pure. */

/** A request that changes something, in the order in which requests were sent. Times are of one clock, in milliseconds. */
export interface Write {
  /** Process that sent it. */
  readonly process: string
  readonly sentMs: number
  /** When its response came. */
  readonly doneMs: number
  readonly isAccepted: boolean
  /** `METHOD /path`. */
  readonly line: string
  /** Holder that the request writes into the Lease; undefined for a request about something else. */
  readonly holder?: string
}

export interface Verdict {
  /** Times at which a process became the leader. */
  readonly acquisitions: number
  /** Accepted writes beside those of the Lease. */
  readonly writes: number
  /** Accepted writes that a process sent after another one had become the leader, as sentences. */
  readonly late: readonly string[]
}

interface Acquisition {
  readonly process: string
  readonly atMs: number
}

/** A process leads from the response to the write that names it in the Lease until another one does. */
export function judgeWrites(writes: readonly Write[]): Verdict {
  const acquisitions = acquisitionsIn(writes)
  const others = writes.filter(({ holder, isAccepted }) => holder === undefined && isAccepted)
  const late = others.flatMap((write) => {
    const leader = acquisitions.findLast(({ atMs }) => atMs < write.sentMs)
    if (leader === undefined || leader.process === write.process) return []
    return [
      `${write.process} sent ${write.line} ${Math.round(write.sentMs - leader.atMs)} ms after ${leader.process} led`,
    ]
  })
  return { acquisitions: acquisitions.length, writes: others.length, late }
}

function acquisitionsIn(writes: readonly Write[]): readonly Acquisition[] {
  const holders = writes
    .filter(({ holder, isAccepted }) => isAccepted && holder !== undefined && holder !== '')
    .toSorted((a, b) => a.doneMs - b.doneMs)
  return holders.flatMap(({ process, doneMs }, index) =>
    holders[index - 1]?.process === process ? [] : [{ process, atMs: doneMs }],
  )
}
