/**
 * Epochs for fences, so that they rise even when Redis forgets its counters, and when a server is the primary again
 * that was not demoted while another one was.
 *
 * Why this is right. A fence is (epoch, counter). The counter rises as long as one process is the primary without
 * interruption and keeps its data; Redis draws a new random replication id whenever a server starts, is promoted or is
 * demoted. So the replication id names a *term*, and acquire.lua compares it in the atomic step that counts. The fence
 * store remembers, for each counter, which term was the last to take an epoch. A term counts only in an epoch that the
 * store confirmed for it: the epoch is greater than every one that another term took for these counters. A primary that
 * returns has its old replication id, but it is not the last one in the store, and takes a new epoch before it counts.
 *
 * A confirmation is as old as the connection: a client that has to connect anew may find a server that missed
 * something. So it ends with the connection, with an announced switch, and with a write that was refused as stale; what
 * the store said before that is not used. While a client takes locks it also asks the store again: freshness.ts. When a server was overtaken
 * while the client was connected to it, the client leaves the connection first, since the address may lead to the
 * successor by now; only on a connection that was made later does it take a new epoch for the same server.
 *
 * One epoch serves all counters of a server, so a term costs one call of the store and not one for each. Counters
 * without data (first use, FLUSHALL, a deleted key) prove nothing of the past: see marks.ts.
 *
 * Counters that were copied from each other share a *line*, a random name in the data. Unrelated servers that use one
 * fence store therefore never take epochs from each other.
 */

import { IngotError } from '../../../errors/error.ts'
import type { RedisConnection } from '../../../redis/connection.ts'
import type { Clock } from '../../../std/clock.ts'
import { createDeadline } from '../../../std/deadline.ts'
import type { Log } from '../../../telemetry/log.ts'
import { epochOfFence, type FenceStore, type Members, type PrimaryTerm } from '../../fencing/fence-store.ts'
import { heldEpoch, isEmpty, overlap, union, without } from '../../fencing/primary-terms.ts'
import { type Allowance, createAllowance } from './allowance.ts'
import { createFreshness, type Freshness } from './freshness.ts'
import { type CounterMarks, createCounterMarks } from './marks.ts'
import { type ConfirmedTerm, type MissingEpoch, termWire } from './scripts.ts'

/** The longest time for one question to the store and what it needs of Redis, in milliseconds. */
const SETTLE_MS = 5_000
/** A primary that returns is given so long to turn out to be a demoted one, in milliseconds. */
const RETURN_MS = 300
/** Servers of the past are forgotten beyond so many. */
const REMEMBERED = 64

export interface EpochDeps {
  readonly connection: RedisConnection
  readonly fences: FenceStore
  readonly clock: Clock
  readonly log: Log
  /** The key of each fence, by tag. */
  readonly keys: readonly string[]
  /** Ends names that no other client uses. */
  readonly client: string
}

export interface Epochs {
  /** The term that was confirmed for the server of this tag, if any. */
  termOf(tag: number): ConfirmedTerm | undefined
  /** Resolves when the store has been asked recently enough; `undefined` when it has been already. Never rejects. */
  refreshed(): Promise<void> | undefined
  /**
   * Resolves when the attempt that met this missing is worth repeating. Rejects with a IngotError, the store's or the
   * connection's. It has a deadline of its own, because several callers share it. `since` is what `fills` was when the
   * attempt was sent.
   */
  settle(tag: number, missing: MissingEpoch, since: number): Promise<void>
  /** How often counters without data have been given an epoch. */
  readonly fills: number
  /** What was confirmed must be confirmed anew: another primary was announced. */
  doubt(): void
  /** As `doubt`, after a store has refused a write with this fence. */
  refused(tag: number, fence: bigint): void
  /** A connection was lost: what comes next may be another server. */
  lost(): void
}

/** A server's epoch, the lines and counters for which it was confirmed. */
interface Term extends ConfirmedTerm {
  readonly owner: string
  readonly epoch: bigint
  readonly lines: ReadonlySet<string>
  readonly members: Members
}

/** Work that callers share. */
interface Flight {
  readonly generation: number
  readonly line: string | undefined
  readonly members: Members
  readonly done: Promise<void>
}

class TermBook implements Epochs {
  readonly #deps: EpochDeps
  readonly #marks: CounterMarks
  readonly #allowance: Allowance
  readonly #freshness: Freshness
  /** By replication id. */
  readonly #terms = new Map<string, Term>()
  fills = 0
  readonly #byTag: (Term | undefined)[] = []
  readonly #lines = new Map<string, Set<string>>()
  /** What was confirmed on connections that stand, by replication id. */
  readonly #had = new Map<string, Members>()
  readonly #flights = new Map<string, Flight>()
  /** Rises with everything after which an earlier answer of the store must not be used. */
  #generation = 0

  constructor(deps: EpochDeps) {
    this.#deps = deps
    this.#allowance = createAllowance(deps.clock)
    this.#freshness = createFreshness(deps.clock, () => this.#bounded((signal) => this.#refresh(signal)))
    this.#marks = createCounterMarks({ ...deps, spend: () => this.#allowance.spend() })
  }

  termOf(tag: number): Term | undefined {
    return this.#byTag[tag]
  }

  refreshed(): Promise<void> | undefined {
    return this.#terms.size === 0 ? undefined : this.#freshness.due()
  }

  async settle(tag: number, missing: MissingEpoch, since: number): Promise<void> {
    const { owner, line } = missing
    // the answer was on its way while another caller saw to it
    if (line === undefined ? this.fills > since : fits(this.#byTag[tag], missing)) return
    const name = `${line === undefined ? 'mark' : 'confirm'} ${owner}`
    for (;;) {
      const running = this.#flights.get(name)
      if (running === undefined) break
      if (running.generation === this.#generation && running.line === line && running.members[tag] === '1') {
        return running.done
      }
      await running.done.catch(() => undefined)
    }
    const members = this.#neighbours(tag)
    const done = this.#bounded((signal) =>
      line === undefined ? this.#mark(missing, members, signal) : this.#confirm(line, missing, members, signal),
    ).finally(() => this.#flights.delete(name))
    this.#flights.set(name, { generation: this.#generation, line, members, done })
    return done
  }

  doubt(): void {
    this.#generation++
    this.#terms.clear()
    this.#byTag.length = 0
  }

  refused(tag: number, fence: bigint): void {
    const term = this.#byTag[tag]
    // a fence of an earlier epoch says nothing about this one
    if (term !== undefined && epochOfFence(fence) >= term.epoch) this.doubt()
  }

  lost(): void {
    this.doubt()
    this.#had.clear()
  }

  /** Ends the work when it takes too long, whoever waits for it. */
  async #bounded(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    using deadline = createDeadline({ clock: this.#deps.clock, ms: SETTLE_MS, timeoutError: tooLate })
    await work(deadline.signal)
  }

  /** The tags whose fences are on the same server as this tag's. */
  #neighbours(tag: number): Members {
    const { connection, keys } = this.#deps
    const key = keys[tag] ?? ''
    if (!connection.clustered) return '1'.repeat(keys.length)
    return keys.map((other, i) => (i === tag || connection.together(key, other) ? '1' : '0')).join('')
  }

  #linesOf(owner: string): Set<string> {
    const known = this.#lines.get(owner)
    if (known !== undefined) return known
    if (this.#lines.size >= REMEMBERED) this.#lines.clear()
    const lines = new Set<string>()
    this.#lines.set(owner, lines)
    return lines
  }

  async #mark({ owner, storedEpoch }: MissingEpoch, members: Members, signal: AbortSignal): Promise<void> {
    // servers of one cluster may share a line, so that fewer are known to the store
    const line = [...(this.#lines.get(owner) ?? []), ...[...this.#lines.values()].flatMap((lines) => [...lines])][0]
    await this.#marks.supply({ owner, line, storedEpoch, members }, signal)
    this.fills++
  }

  /** Has the store confirm an epoch for the server, or give it a new one. */
  async #confirm(line: string, missing: MissingEpoch, members: Members, signal: AbortSignal): Promise<void> {
    const { fences, clock } = this.#deps
    const { owner, storedEpoch, isOwn } = missing
    const generation = this.#generation
    const lines = this.#linesOf(owner)
    lines.add(line)
    const askedMs = clock.monotonicMs()
    const storedTerms = await fences.termsOf([...lines], signal)
    const above = BigInt(isOwn ? storedEpoch - 1 : storedEpoch)
    const held = heldEpoch(owner, storedTerms, [...lines], members) ?? above
    if (held <= above) {
      const overtaken = storedTerms.filter((stored) => stored.owner !== owner && overlap(members, stored.members))
      this.#leaveIfOvertaken(owner, overtaken)
      if (isOwn && overtaken.length > 0) await clock.sleep(RETURN_MS, signal)
    }
    // what the store said before something happened is not used after it; the attempt finds that out
    if (generation !== this.#generation) return
    const epoch = held > above ? held : await this.#take({ owner, above, members }, lines, signal)
    if (generation === this.#generation) this.#install({ owner, epoch, members }, lines, askedMs)
  }

  async #take(
    { owner, above, members }: { readonly owner: string; readonly above: bigint; readonly members: Members },
    lines: Iterable<string>,
    signal: AbortSignal,
  ): Promise<bigint> {
    this.#allowance.spend()
    const parts = [...lines].map((line) => ({ line, members }))
    const epoch = await this.#deps.fences.takeTerm({ owner, above, parts }, signal)
    this.#deps.log.info({ epoch: String(epoch), owner }, 'a redis server has an epoch for its fences')
    return epoch
  }

  /** A server that another one followed while the client was connected is left: the address may lead to that one. */
  #leaveIfOvertaken(owner: string, overtaken: readonly PrimaryTerm[]): void {
    const had = this.#had.get(owner) ?? ''
    if (!overtaken.some(({ members }) => overlap(had, members))) return
    this.#deps.log.warn({ owner }, 'another redis server was primary meanwhile, reconnecting')
    this.#deps.connection.renew(this.#deps.keys[had.indexOf('1')] ?? '')
    // the next connection may lead back here, and then it is right
    this.#had.delete(owner)
    throw new IngotError('LOCK_BACKEND_UNAVAILABLE', 'another redis server has become the primary: finding out which')
  }

  #install(answer: Pick<Term, 'owner' | 'epoch' | 'members'>, lines: ReadonlySet<string>, askedMs: number): void {
    const { owner, members } = answer
    const before = this.#terms.get(owner) ?? answer
    const epoch = answer.epoch > before.epoch ? answer.epoch : before.epoch
    const wire = termWire(owner, epoch, lines)
    const term: Term = { owner, epoch, lines: new Set(lines), members: union(before.members, members), wire }
    if (this.#terms.size === 0) this.#freshness.answered(askedMs)
    if (this.#terms.size >= REMEMBERED) this.#terms.clear()
    this.#terms.set(owner, term)
    this.#had.set(owner, union(this.#had.get(owner) ?? '', members))
    for (let tag = 0; tag < members.length; tag++) if (members[tag] === '1') this.#byTag[tag] = term
  }

  /** Asks the store whether the servers in use are still the last ones. What was overtaken has to be confirmed anew. */
  async #refresh(signal: AbortSignal): Promise<void> {
    const generation = this.#generation
    const lines = new Set([...this.#terms.values()].flatMap((term) => [...term.lines]))
    const storedTerms = await this.#deps.fences.termsOf([...lines], signal)
    if (generation !== this.#generation) return
    for (const term of this.#terms.values()) this.#compare(term, storedTerms)
  }

  #compare(term: Term, storedTerms: readonly PrimaryTerm[]): void {
    const lost = storedTerms
      .filter(({ line, owner }) => owner !== term.owner && term.lines.has(line))
      .reduce((all, { members }) => union(all, members), '')
    if (!overlap(term.members, lost)) return
    const members = without(term.members, lost)
    const left = isEmpty(members) ? undefined : { ...term, members }
    if (left === undefined) this.#terms.delete(term.owner)
    else this.#terms.set(term.owner, left)
    for (let tag = 0; tag < lost.length; tag++) {
      if (this.#byTag[tag]?.owner === term.owner) this.#byTag[tag] = lost[tag] === '1' ? undefined : left
    }
  }
}

function tooLate(): IngotError {
  return new IngotError('FENCE_STORE_UNAVAILABLE', 'no epoch was confirmed in time')
}

/** Whether acquire.lua would count under this term where it found this missing. */
function fits(term: Term | undefined, { owner, line = '', isOwn, storedEpoch }: MissingEpoch): boolean {
  return term?.owner === owner && term.lines.has(line) && (isOwn || term.epoch > BigInt(storedEpoch))
}

export function createEpochs(deps: EpochDeps): Epochs {
  return new TermBook(deps)
}
