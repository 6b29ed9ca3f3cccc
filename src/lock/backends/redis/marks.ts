/**
 * Epochs for counters whose data is gone or was never there. Such a counter proves nothing of the past: this very
 * server, in this very term, may have given numbers before. So a mark, a name that is used once, is written to the
 * server first; then the fence store gives an epoch for the mark, which is therefore greater than every number of
 * before; and the counter takes the epoch only while the mark stands. Another loss of the data takes the mark with it.
 *
 * All counters of a server that have no data are marked together, so the first use of a server, or FLUSHALL, costs one
 * epoch and one call of the store. Only the client that made a mark fetches its epoch, once all its writes were
 * answered: a write that is still on its way could come after the epoch. The first mark of a counter stays, and other
 * clients wait for its maker; they replace a mark whose maker does not finish. Clients mark in the same order, beginning
 * with a single counter, and one that meets another's mark stops there: so one of them marks nearly all.
 */
import type { RedisConnection } from '../../../redis/connection.ts'
import { loadScript, scriptBody } from '../../../redis/script.ts'
import type { Clock } from '../../../std/clock.ts'
import { IngotError } from '../../../std/error.ts'
import { composeFence, type FenceStore, type Members } from '../../fencing/fence-store.ts'
import { readMarks } from './scripts.ts'

const MARK = loadScript('mark', import.meta.url)
const ADOPT = loadScript('adopt', import.meta.url)
/** Fences in one step: a script keeps the server from everybody else, for some 0.3 ms with so many. */
const STEP = 128
/** The first wait for another client that is fetching an epoch, in milliseconds; each one after it is twice as long. */
const WAIT_MS = 10
/** After so many waits (630 ms together) that client is taken for dead. */
export const MARK_WAITS = 6

export interface MissingCounter {
  readonly owner: string
  /** What the tag's fence has as its epoch, when an earlier version left one there; else -1. */
  readonly storedEpoch: number
  /** The line that the server's other fences belong to, if one is known. */
  readonly line: string | undefined
  /** The tags on the same server. */
  readonly members: Members
}

export interface CounterMarks {
  /**
   * Gives an epoch to the tags without data. When another client is at it, waits a while instead, longer each time.
   * Rejects with a IngotError of the store or the connection.
   */
  supply(gap: MissingCounter, signal: AbortSignal): Promise<void>
}

export interface MarkDeps {
  readonly connection: RedisConnection
  readonly fences: FenceStore
  readonly clock: Clock
  readonly keys: readonly string[]
  readonly client: string
  /** Called before an epoch is taken; throws when it must not be. */
  readonly spend: () => void
}

class MarkBook implements CounterMarks {
  readonly #deps: MarkDeps
  #made = 0
  /** The mark of another client that was met last, and how often. */
  #met = { mark: '', times: 0 }

  constructor(deps: MarkDeps) {
    this.#deps = deps
  }

  async supply(gap: MissingCounter, signal: AbortSignal): Promise<void> {
    const unique = `${this.#deps.client}.${++this.#made}`
    const mark = `${gap.owner}:${unique}`
    const { tags, met } = await this.#write(gap, mark, signal)
    if (tags.length > 0) await this.#finish(gap, { mark, line: gap.line ?? unique, tags }, signal)
    // its maker is at it
    if (met !== undefined) await this.#deps.clock.sleep(this.#waitFor(met), signal)
  }

  /** How long to wait for the maker of a mark, in milliseconds. */
  #waitFor(mark: string): number {
    const times = mark === this.#met.mark ? this.#met.times : 0
    this.#met = { mark, times: times + 1 }
    return WAIT_MS * 2 ** times
  }

  /** The tags for which the mark stands. Rejects when a command fails: it may still run, so the mark is not used then. */
  async #write(
    { owner, members }: MissingCounter,
    mark: string,
    signal: AbortSignal,
  ): Promise<{ readonly tags: readonly number[]; readonly met: string | undefined }> {
    const marked: number[] = []
    const replaceableMark = this.#met.times >= MARK_WAITS ? this.#met.mark : ''
    const args = [owner, mark, replaceableMark]
    const tags = this.#deps.keys.flatMap((_, tag) => (members[tag] === '1' ? [tag] : []))
    for (const step of [tags.slice(0, 1), ...steps(tags.slice(1))]) {
      const marks = await this.#run(step, async (some) => {
        const fences = this.#keysOf(some)
        const read = (reply: unknown) => readMarks(reply, some.length)
        return this.#deps.connection.run({ script: MARK, ...scriptBody(fences, args), read, ...until(signal) })
      })
      // a slot that moved is not this server's any more, and has no mark
      const answers = marks.flatMap(([some, words]) => (words === 'not-meant' ? [] : some.map((t, i) => [t, words[i]])))
      for (const [at, word] of answers) if (word === mark && typeof at === 'number') marked.push(at)
      const met = answers.map(([, word]) => word).find((word) => word !== undefined && word !== mark)
      if (typeof met === 'string') return { tags: marked, met }
    }
    return { tags: marked, met: undefined }
  }

  async #finish(
    { owner, storedEpoch }: MissingCounter,
    { mark, line, tags }: { readonly mark: string; readonly line: string; readonly tags: readonly number[] },
    signal: AbortSignal,
  ): Promise<void> {
    this.#deps.spend()
    const marked = new Set(tags)
    const members = this.#deps.keys.map((_, tag) => (marked.has(tag) ? '1' : '0')).join('')
    const term = { owner, mark, above: BigInt(storedEpoch), parts: [{ line, members }] }
    const epoch = await this.#deps.fences.takeTerm(term, signal)
    const args = [owner, mark, line, String(epoch), String(composeFence(epoch, 0n))]
    for (const step of steps(tags)) {
      await this.#run(step, async (some) => {
        const body = scriptBody(this.#keysOf(some), args)
        return this.#deps.connection.run({ script: ADOPT, ...body, read: Number, ...until(signal) })
      })
    }
  }

  /** In a cluster one call for each tag, since each has a slot of its own; the calls of a step go out together. */
  #run<T>(
    step: readonly number[],
    call: (tags: readonly number[]) => Promise<T>,
  ): Promise<readonly (readonly [readonly number[], T])[]> {
    const calls = this.#deps.connection.clustered ? step.map((tag) => [tag]) : [step]
    return Promise.all(calls.map(async (tags) => [tags, await call(tags)] as const))
  }

  #keysOf(tags: readonly number[]): readonly [string, ...string[]] {
    const [first, ...rest] = tags.map((tag) => this.#deps.keys[tag] ?? '')
    if (first === undefined) throw new IngotError('INTERNAL', 'no fence was named')
    return [first, ...rest]
  }
}

function steps(tags: readonly number[]): readonly (readonly number[])[] {
  return Array.from({ length: Math.ceil(tags.length / STEP) }, (_, i) => tags.slice(i * STEP, (i + 1) * STEP))
}

function until(signal: AbortSignal): { wanted: () => boolean } {
  return { wanted: () => !signal.aborted }
}

export function createCounterMarks(deps: MarkDeps): CounterMarks {
  return new MarkBook(deps)
}
