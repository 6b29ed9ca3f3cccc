/**
 * Epochs for counters without data. Such a counter may have lost its data, and the same server, in the same term, may
 * have issued numbers before. Therefore a mark, a unique name, is written to the server first. Then the fence store
 * issues an epoch for the mark, which is greater than every earlier number. The counter adopts the epoch only if the mark
 * still exists. Another loss of data deletes the mark too.
 *
 * All counters of a server without data are marked together, so the first use of a server, or FLUSHALL, costs one epoch
 * and one call of the store. Only the client that wrote a mark fetches its epoch, after all its writes were confirmed: a
 * pending write could arrive after the epoch. The first mark of a counter is kept, and other clients wait for its writer.
 * They replace the mark if the writer does not finish. Clients mark in the same order, starting with a single counter,
 * and stop at a mark of another client. One client therefore marks nearly all counters.
 */

import { IngotError } from '../../../errors/error.ts'
import type { RedisConnection } from '../../../redis/connection.ts'
import { loadScript, scriptBody } from '../../../redis/script.ts'
import type { Clock } from '../../../std/clock.ts'
import { composeFence, type FenceStore, type Members } from '../../fencing/fence-store.ts'
import { readMarks } from './scripts.ts'

const MARK = loadScript('mark', import.meta.url)
const ADOPT = loadScript('adopt', import.meta.url)
/** Fences per script call. A call of this size blocks the server for about 0.3 ms. */
const STEP = 128
/** The first wait for another client that is fetching an epoch, in milliseconds; each one after it is twice as long. */
const WAIT_MS = 10
/** After this many waits (630 ms in total) the other client is considered dead. */
export const MARK_WAITS = 6

export interface MissingCounter {
  readonly owner: string
  /** The epoch of the tag's fence if an earlier version stored one, otherwise -1. */
  readonly storedEpoch: number
  /** The line that the server's other fences belong to, if one is known. */
  readonly line: string | undefined
  /** The tags on the same server. */
  readonly members: Members
}

export interface CounterMarks {
  /**
   * Gives an epoch to the tags without data. If another client is doing so, waits instead, longer each time. Rejects
   * with an IngotError of the store or the connection.
   */
  supply(gap: MissingCounter, signal: AbortSignal): Promise<void>
}

export interface MarkDeps {
  readonly connection: RedisConnection
  readonly fences: FenceStore
  readonly clock: Clock
  readonly keys: readonly string[]
  readonly client: string
  /** Called before an epoch is taken. Throws if the limit is reached. */
  readonly takeAllowance: () => void
}

class FenceMarks implements CounterMarks {
  readonly #deps: MarkDeps
  #made = 0
  /** The last mark of another client that was found, and how often. */
  #met = { mark: '', times: 0 }

  constructor(deps: MarkDeps) {
    this.#deps = deps
  }

  async supply(gap: MissingCounter, signal: AbortSignal): Promise<void> {
    const unique = `${this.#deps.client}.${++this.#made}`
    const mark = `${gap.owner}:${unique}`
    const { tags, met } = await this.#write(gap, mark, signal)
    if (tags.length > 0) await this.#finish(gap, { mark, line: gap.line ?? unique, tags }, signal)
    // the writer of that mark is fetching its epoch
    if (met !== undefined) await this.#deps.clock.sleep(this.#waitFor(met), signal)
  }

  /** Returns how long to wait for the writer of a mark, in milliseconds. */
  #waitFor(mark: string): number {
    const times = mark === this.#met.mark ? this.#met.times : 0
    this.#met = { mark, times: times + 1 }
    return WAIT_MS * 2 ** times
  }

  /**
   * Writes the mark. Returns the tags that have it. Rejects if a command fails: it may still run, so the mark is not
   * used.
   */
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
      // a slot that moved no longer belongs to this server, and has no mark
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
    this.#deps.takeAllowance()
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

  /** Runs a call for a step. In a cluster, makes one concurrent call per tag, because each tag has its own slot. */
  #run<T>(
    step: readonly number[],
    call: (tags: readonly number[]) => Promise<T>,
  ): Promise<readonly (readonly [readonly number[], T])[]> {
    const calls = this.#deps.connection.clustered ? step.map((tag) => [tag]) : [step]
    return Promise.all(calls.map(async (tags) => [tags, await call(tags)] as const))
  }

  #keysOf(tags: readonly number[]): readonly [string, ...string[]] {
    const [first, ...rest] = tags.map((tag) => this.#deps.keys[tag] ?? '')
    if (first === undefined) throw new IngotError('INTERNAL', 'no fence was given')
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
  return new FenceMarks(deps)
}
