/**
 * Epochs for fences. They make fences rise even when Redis loses its counters, and when a server that was never demoted
 * becomes the primary again after another one.
 *
 * Correctness. A fence is (epoch, counter). The counter rises as long as one process stays the primary and keeps its
 * data. Redis draws a new random replication id whenever a server starts, is promoted or is demoted. The replication id
 * therefore names a *term*, and acquire.lua compares it in the same atomic step that counts. For each counter, the
 * fence store records the last term that took an epoch. A term may count only in an epoch that the store confirmed for
 * it. That epoch is greater than every epoch that another term took for these counters. A returning primary has its old
 * replication id, but it is not the last one in the store. It must take a new epoch before it counts.
 *
 * A confirmation is valid for one connection, because a new connection may lead to a server that missed a change. It
 * ends with the connection, with an announced switchover, and with a write that was refused as stale. Earlier responses
 * of the store are not used after that. While a client acquires locks, it also asks the store again regularly
 * (freshness.ts). If a server was overtaken while the client was connected to it, the client leaves the connection
 * first, because the address may lead to the successor. Only on a later connection does it take a new epoch for the
 * same server.
 *
 * One epoch serves all counters of a server, so a term costs one call of the store, not one per counter. Counters
 * without data (first use, FLUSHALL, a deleted key) prove nothing about earlier numbers; see marks.ts.
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

/** Time limit of one request to the store and of its calls to Redis, in milliseconds. */
const SETTLE_MS = 5_000
/** How long a returning primary may take to turn out to be demoted, in milliseconds. */
const RETURN_MS = 300
/** Maximum number of servers with remembered terms. */
const MAX_SERVERS = 64

export interface EpochDeps {
  readonly connection: RedisConnection
  readonly fences: FenceStore
  readonly clock: Clock
  readonly log: Log
  /** The key of each fence, by tag. */
  readonly keys: readonly string[]
  /** Suffix of names, unique to this client. */
  readonly client: string
}

export interface Epochs {
  /** Returns the confirmed term of the server of this tag, if there is one. */
  termOf(tag: number): ConfirmedTerm | undefined
  /**
   * Returns `undefined` if the store was asked recently enough. Otherwise asks it, and resolves when the attempt may be
   * sent. Never rejects.
   */
  refreshed(): Promise<void> | undefined
  /**
   * Obtains the epoch that an attempt lacked. Resolves when the attempt can be repeated. Rejects with an IngotError of
   * the store or the connection. It has its own deadline, because several callers share it. `since` is the value of
   * `fills` when the attempt was sent.
   */
  settle(tag: number, missing: MissingEpoch, since: number): Promise<void>
  /** Number of times that counters without data got an epoch. */
  readonly fills: number
  /** Drops all confirmations, because another primary was announced. */
  invalidate(): void
  /** Drops them like `invalidate`, after a store refused a write with this fence. */
  fenceRefused(tag: number, fence: bigint): void
  /** Drops them after a lost connection, because the next one may lead to another server. */
  connectionLost(): void
}

/** A server's epoch, and the lines and counters for which it was confirmed. */
interface Term extends ConfirmedTerm {
  readonly owner: string
  readonly epoch: bigint
  readonly lines: ReadonlySet<string>
  readonly members: Members
}

/** A request that callers share. */
interface Flight {
  readonly generation: number
  readonly line: string | undefined
  readonly members: Members
  readonly done: Promise<void>
}

class ConfirmedTerms implements Epochs {
  readonly #deps: EpochDeps
  readonly #marks: CounterMarks
  readonly #allowance: Allowance
  readonly #freshness: Freshness
  /** By replication id. */
  readonly #terms = new Map<string, Term>()
  fills = 0
  readonly #byTag: (Term | undefined)[] = []
  readonly #lines = new Map<string, Set<string>>()
  /** Members that were confirmed on current connections, by replication id. */
  readonly #had = new Map<string, Members>()
  readonly #flights = new Map<string, Flight>()
  /** Rises with every event after which earlier responses of the store must not be used. */
  #generation = 0

  constructor(deps: EpochDeps) {
    this.#deps = deps
    this.#allowance = createAllowance(deps.clock)
    this.#freshness = createFreshness(deps.clock, () => this.#bounded((signal) => this.#refresh(signal)))
    this.#marks = createCounterMarks({ ...deps, takeAllowance: () => this.#allowance.spend() })
  }

  termOf(tag: number): Term | undefined {
    return this.#byTag[tag]
  }

  refreshed(): Promise<void> | undefined {
    return this.#terms.size === 0 ? undefined : this.#freshness.due()
  }

  async settle(tag: number, missing: MissingEpoch, since: number): Promise<void> {
    const { owner, line } = missing
    // another caller resolved it while the reply was on its way
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

  invalidate(): void {
    this.#generation++
    this.#terms.clear()
    this.#byTag.length = 0
  }

  fenceRefused(tag: number, fence: bigint): void {
    const term = this.#byTag[tag]
    // a fence of an earlier epoch says nothing about this one
    if (term !== undefined && epochOfFence(fence) >= term.epoch) this.invalidate()
  }

  connectionLost(): void {
    this.invalidate()
    this.#had.clear()
  }

  /** Runs the work with a time limit that does not depend on its callers. */
  async #bounded(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    using deadline = createDeadline({ clock: this.#deps.clock, ms: SETTLE_MS, timeoutError: timeoutError })
    await work(deadline.signal)
  }

  /** Returns the tags whose fences are on the same server as this tag's. */
  #neighbours(tag: number): Members {
    const { connection, keys } = this.#deps
    const key = keys[tag] ?? ''
    if (!connection.clustered) return '1'.repeat(keys.length)
    return keys.map((other, i) => (i === tag || connection.together(key, other) ? '1' : '0')).join('')
  }

  #linesOf(owner: string): Set<string> {
    const known = this.#lines.get(owner)
    if (known !== undefined) return known
    if (this.#lines.size >= MAX_SERVERS) this.#lines.clear()
    const lines = new Set<string>()
    this.#lines.set(owner, lines)
    return lines
  }

  async #mark({ owner, storedEpoch }: MissingEpoch, members: Members, signal: AbortSignal): Promise<void> {
    // servers of one cluster may share a line, so that the store has fewer lines
    const line = [...(this.#lines.get(owner) ?? []), ...[...this.#lines.values()].flatMap((lines) => [...lines])][0]
    await this.#marks.supply({ owner, line, storedEpoch, members }, signal)
    this.fills++
  }

  /** Confirms an epoch of the server with the store, or takes a new one. */
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
    // the response is outdated if an event occurred meanwhile; the next attempt detects that
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

  /** Reconnects if another server became primary while the client was connected: the address may lead to that one. */
  #leaveIfOvertaken(owner: string, overtaken: readonly PrimaryTerm[]): void {
    const had = this.#had.get(owner) ?? ''
    if (!overtaken.some(({ members }) => overlap(had, members))) return
    this.#deps.log.warn({ owner }, 'another redis server was primary meanwhile, reconnecting')
    this.#deps.connection.renew(this.#deps.keys[had.indexOf('1')] ?? '')
    // the next connection may lead to this server again, and then it is the right one
    this.#had.delete(owner)
    throw new IngotError(
      'LOCK_BACKEND_UNAVAILABLE',
      'another redis server has become the primary: reconnecting to find it',
    )
  }

  #install(confirmed: Pick<Term, 'owner' | 'epoch' | 'members'>, lines: ReadonlySet<string>, askedMs: number): void {
    const { owner, members } = confirmed
    const before = this.#terms.get(owner) ?? confirmed
    const epoch = confirmed.epoch > before.epoch ? confirmed.epoch : before.epoch
    const wire = termWire(owner, epoch, lines)
    const term: Term = { owner, epoch, lines: new Set(lines), members: union(before.members, members), wire }
    if (this.#terms.size === 0) this.#freshness.answered(askedMs)
    if (this.#terms.size >= MAX_SERVERS) this.#terms.clear()
    this.#terms.set(owner, term)
    this.#had.set(owner, union(this.#had.get(owner) ?? '', members))
    for (let tag = 0; tag < members.length; tag++) if (members[tag] === '1') this.#byTag[tag] = term
  }

  /** Asks the store whether the servers in use are still the last ones. Drops confirmations of overtaken servers. */
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

function timeoutError(): IngotError {
  return new IngotError('FENCE_STORE_UNAVAILABLE', 'no epoch was confirmed in time')
}

/** Returns true if acquire.lua would count under this term now. */
function fits(term: Term | undefined, { owner, line = '', isOwn, storedEpoch }: MissingEpoch): boolean {
  return term?.owner === owner && term.lines.has(line) && (isOwn || term.epoch > BigInt(storedEpoch))
}

export function createEpochs(deps: EpochDeps): Epochs {
  return new ConfirmedTerms(deps)
}
