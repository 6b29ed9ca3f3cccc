/**
 * Searches for an order of the operations on one content that explains every response. A content is either absent or
 * present: a save that creates makes it present, a deletion makes it absent, `duplicate` and "there is none" only
 * observe. An operation takes effect at one moment between its invocation and its completion. An operation of unknown
 * outcome takes effect at any later moment, or never. This is linearizability (Herlihy, Wing 1990) of a two-state
 * object, searched by the algorithm of Wing and Gong (1993) with a memory of visited states (Lowe 2017).
 *
 * A store that was restored to an earlier state has lost its later changes. At one moment of that fault the content may
 * change its state once without an operation (a `Rewind`).
 *
 * Two rules keep the search short. An observation that fits may be applied immediately, because it changes nothing. Of
 * two open operations of one kind the one that ends first goes first, because exchanging them makes no difference.
 */
import type { Operation } from './operations.ts'

type Effect = 'create' | 'see' | 'remove' | 'miss'

interface Step {
  readonly effect: Effect
  readonly begin: number
  readonly end: number
  readonly operation: Operation | undefined
}

/** Span of the history in which the store may have been restored to an earlier state. */
export interface Rewind {
  readonly begin: number
  readonly end: number
}

/** The response that fits no order. */
export interface Stuck {
  readonly operation: Operation | undefined
  readonly state: 'present' | 'absent'
}

/**
 * Returns the response that fits no order, or undefined if all responses fit. `operations` are the saves and deletions
 * of one content, `final` is its state in the store at the end (default: unknown), `rewinds` are in order of time.
 */
export function unexplained(
  operations: readonly Operation[],
  final?: 'present' | 'absent',
  rewinds: readonly Rewind[] = [],
): Stuck | undefined {
  return new Search(
    operations,
    final,
    rewinds.filter((rewind) => isTouched(operations, rewind)),
  ).run()
}

/**
 * Returns true if the content has an operation that the rewind may have undone. A rewind does not affect other
 * contents.
 */
function isTouched(operations: readonly Operation[], { begin, end }: Rewind): boolean {
  return operations.some(({ invoke, completion, outcome }) => {
    const isOver = outcome === 'ok' && completion !== undefined && completion.seq < begin
    return invoke.seq < end && !isOver
  })
}

const EFFECTS: Readonly<Record<string, Effect>> = {
  created: 'create',
  duplicate: 'see',
  deleted: 'remove',
  absent: 'miss',
}

interface Node {
  readonly present: boolean
  /** Indices of the steps that are done. */
  readonly done: ReadonlySet<number>
  /** Number of operations of unknown outcome that were used. */
  readonly creates: number
  readonly removes: number
  /** Number of rewinds for which the search has decided whether they changed the state. */
  readonly settled: number
}

class Search {
  /** Sorted by their ends. */
  readonly #steps: readonly Step[]
  /** Start times of the saves, and of the deletions, of unknown outcome. */
  readonly #maybeCreate: readonly number[]
  readonly #maybeRemove: readonly number[]
  readonly #rewinds: readonly Rewind[]
  readonly #visited = new Set<string>()
  /** The failure at the greatest depth is the most useful one. */
  #stuck: (Stuck & { readonly depth: number }) | undefined

  constructor(operations: readonly Operation[], final: 'present' | 'absent' | undefined, rewinds: readonly Rewind[]) {
    this.#rewinds = rewinds
    const known = operations.filter(({ outcome }) => outcome === 'ok').map(stepOf)
    const last: Step = {
      effect: final === 'present' ? 'see' : 'miss',
      begin: Number.POSITIVE_INFINITY,
      end: Number.POSITIVE_INFINITY,
      operation: undefined,
    }
    this.#steps = [...known.toSorted((a, b) => a.end - b.end), ...(final === undefined ? [] : [last])]
    this.#maybeCreate = begins(operations, 'save')
    this.#maybeRemove = begins(operations, 'delete')
  }

  run(): Stuck | undefined {
    const open: Node[] = [{ present: false, done: new Set(), creates: 0, removes: 0, settled: 0 }]
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      const looked = this.#look(node)
      const deadline = this.#steps.findIndex((_, index) => !looked.done.has(index))
      if (deadline === -1) return undefined
      const key = [looked.present, looked.creates, looked.removes, looked.settled, ...gaps(looked.done)].join()
      if (this.#visited.has(key)) continue
      this.#visited.add(key)
      const next = this.#changes(looked)
      if (next.length === 0) this.#note(looked, deadline)
      open.push(...next)
    }
    return this.#stuck
  }

  /** Returns the node after every observation that fits. */
  #look(node: Node): Node {
    const done = new Set(node.done)
    const fits = node.present ? 'see' : 'miss'
    for (;;) {
      const limit = this.#limit(done, node.settled)
      const ready = this.#steps.findIndex((step, i) => !done.has(i) && step.effect === fits && mayBegin(step, limit))
      if (ready === -1) return { ...node, done }
      done.add(ready)
    }
  }

  /** Returns the nodes after each possible next change: by a completed operation or by one of unknown outcome. */
  #changes(node: Node): readonly Node[] {
    const limit = this.#limit(node.done, node.settled)
    const wanted = node.present ? 'remove' : 'create'
    const completed = this.#steps.findIndex(
      (step, i) => !node.done.has(i) && step.effect === wanted && mayBegin(step, limit),
    )
    const maybe = (node.present ? this.#maybeRemove : this.#maybeCreate)[node.present ? node.removes : node.creates]
    const next: Node[] = [...this.#rewound(node, limit)]
    if (maybe !== undefined && maybe < limit) {
      const used = node.present ? { removes: node.removes + 1 } : { creates: node.creates + 1 }
      next.push({ ...node, ...used, present: !node.present })
    }
    if (completed !== -1) next.push({ ...node, done: new Set(node.done).add(completed), present: !node.present })
    return next
  }

  /** Returns the nodes after the next rewind, which either undid a change or did not. */
  #rewound(node: Node, limit: number): readonly Node[] {
    const rewind = this.#rewinds[node.settled]
    if (rewind === undefined || rewind.begin >= limit) return []
    const settled = node.settled + 1
    return [
      { ...node, settled, present: !node.present },
      { ...node, settled },
    ]
  }

  /** Returns the earliest end of the remaining steps. A step that begins later cannot precede it. */
  #limit(done: ReadonlySet<number>, settled: number): number {
    const first = this.#steps.find((_, index) => !done.has(index))?.end ?? Number.POSITIVE_INFINITY
    return Math.min(first, this.#rewinds[settled]?.end ?? Number.POSITIVE_INFINITY)
  }

  #note(node: Node, deadline: number): void {
    const depth = node.done.size
    if (this.#stuck !== undefined && this.#stuck.depth >= depth) return
    const operation = this.#steps[deadline]?.operation
    this.#stuck = { operation, state: node.present ? 'present' : 'absent', depth }
  }
}

/** Returns true if the step may be next. The final observation begins when all completed steps have ended. */
function mayBegin(step: Step, limit: number): boolean {
  return step.begin < limit || step.end === limit
}

function stepOf(operation: Operation): Step {
  const { invoke, completion } = operation
  const effect = EFFECTS[completion?.result ?? '']
  if (effect === undefined || completion === undefined) {
    throw new Error(`operation ${invoke.op} has the unknown result "${completion?.result}"`)
  }
  return { effect, begin: invoke.seq, end: completion.seq, operation }
}

function begins(operations: readonly Operation[], f: 'save' | 'delete'): readonly number[] {
  const unknown = operations.filter(({ invoke, outcome }) => outcome === 'info' && invoke.f === f)
  return unknown.map(({ invoke }) => invoke.seq).toSorted((a, b) => a - b)
}

/** Returns a short form of a set of numbers from 0: the length of its gapless prefix, and the numbers beyond. */
function gaps(done: ReadonlySet<number>): readonly number[] {
  let prefix = 0
  while (done.has(prefix)) prefix++
  return [prefix, ...[...done].filter((index) => index > prefix).toSorted((a, b) => a - b)]
}
