/**
 * Checks that each deletion of a collection takes effect at one moment between its request and its response. Searches an
 * order of the operations on each content that real time allows and that explains every outcome (linearizability). Source
 * of the search: Wing and Gong, "Testing and Verifying Concurrent Objects", 1993.
 */

interface Interval {
  /** Ticks of one counter: an operation that ended before another began has the smaller `to`. */
  readonly from: number
  readonly to: number
}

/** A save. `since` identifies the save that created the item: for a created item, the save itself. */
export interface Save extends Interval {
  readonly kind: 'save'
  readonly content: string
  readonly outcome: 'created' | 'duplicate'
  readonly since: number
}

export interface Deletion extends Interval {
  readonly kind: 'deletion'
}

export type Operation = Save | Deletion

/** The items at the end, after all operations: content to `since`. */
export type FinalItems = ReadonlyMap<string, number>

/** Returns the contents whose outcomes no order explains. */
export function unexplained(history: readonly Operation[], final: FinalItems): readonly string[] {
  const contents = new Set(history.flatMap((one) => (one.kind === 'save' ? [one.content] : [])))
  for (const content of final.keys()) contents.add(content)
  return [...contents].filter((content) => {
    const own = history.filter((one) => one.kind === 'deletion' || one.content === content)
    return !isExplained(own, final.get(content))
  })
}

/** `undefined`: the item is absent. */
type State = number | undefined

function isExplained(operations: readonly Operation[], final: State): boolean {
  const seen = new Set<string>()
  function search(left: readonly Operation[], state: State): boolean {
    if (left.length === 0) return state === final
    const key = `${left.map(({ from }) => from).join(' ')}|${state ?? ''}`
    if (seen.has(key)) return false
    seen.add(key)
    const firstEnd = Math.min(...left.map(({ to }) => to))
    return left.some((next) => {
      if (next.from > firstEnd) return false
      const after = applied(next, state)
      const rest = left.filter((one) => one !== next)
      return after !== 'impossible' && search(rest, after)
    })
  }
  return search(operations, undefined)
}

function applied(operation: Operation, state: State): State | 'impossible' {
  if (operation.kind === 'deletion') return undefined
  if (operation.outcome === 'created') return state === undefined ? operation.since : 'impossible'
  return state === operation.since ? state : 'impossible'
}
