/** One independent server: its client, and whether its votes count. Examines the server once for each connection. */
import type { Redis } from 'ioredis'
import { failpoint } from '#failpoint'
import { IngotError } from '../../../errors/error.ts'
import { commandError } from '../../../redis/failure.ts'
import { parseInfo } from '../../../redis/topology/info.ts'
import type { Clock, Timer } from '../../../std/clock.ts'
import type { Log } from '../../../telemetry/log.ts'
import { createVoteEligibility, type ServerFacts, type VoteEligibility } from './eligibility.ts'
import { allowanceMs } from './lease.ts'

export interface Node extends Disposable {
  readonly client: Redis
  /** `host:port`, for messages. */
  readonly name: string
  /** Of the server process that was examined last; `undefined` before that. */
  readonly runId: string | undefined
  /** 0 when a vote that is sent now counts; else the milliseconds until then, `undefined` for a server not examined. */
  countsInMs(): number | undefined
  /** Why a vote that is sent now does not count. */
  doubt(): IngotError
  /** Examines the server on its present connection. Never rejects: a server that does not answer is asked again. */
  examine(): Promise<void>
}

export interface NodeDeps {
  readonly clock: Clock
  readonly log: Log
  /** The longest lease of any client, milliseconds. */
  readonly maxLeaseMs: number
}

/** A server that could not be examined is asked again after that long, milliseconds. */
const AGAIN_MS = 1_000

/** With these three the server has each vote on its disk before it sends the answer. */
const DURABLE = new Map([
  ['appendonly', 'yes'],
  ['appendfsync', 'always'],
  ['no-appendfsync-on-rewrite', 'no'],
])

/** Whether the answer of CONFIG GET, a list of names and values, says that no vote is forgotten. */
function isDurable(answer: unknown): boolean {
  if (!Array.isArray(answer)) return false
  const words: readonly unknown[] = answer
  const valueOf = (name: string): unknown => words[words.indexOf(name) + 1]
  return Array.from(DURABLE).every(([name, wanted]) => words.includes(name) && valueOf(name) === wanted)
}

async function askFacts(client: Redis): Promise<ServerFacts & { readonly configRefused: unknown }> {
  const [info, config] = await Promise.allSettled([client.info('server'), client.config('GET', ...DURABLE.keys())])
  if (info.status === 'rejected') throw info.reason
  const facts = parseInfo(info.value)
  const [runId, uptime] = [facts.get('run_id'), Number(facts.get('uptime_in_seconds'))]
  if (runId === undefined || !Number.isFinite(uptime)) throw new Error('INFO names no run_id and uptime')
  return {
    runId,
    uptimeMs: uptime * 1_000,
    durable: config.status === 'fulfilled' && isDurable(config.value),
    configRefused: config.status === 'rejected' ? config.reason : undefined,
  }
}

class WatchedNode implements Node {
  readonly client: Redis
  readonly name: string
  readonly #deps: NodeDeps
  readonly #eligibility: VoteEligibility
  runId: string | undefined
  /** Counts the connections, so that an examination of an earlier one is not taken for one of this. */
  #connection = 0
  #again: Timer | undefined

  constructor(client: Redis, name: string, deps: NodeDeps) {
    this.client = client
    this.name = name
    this.#deps = deps
    this.#eligibility = createVoteEligibility(deps.maxLeaseMs, allowanceMs(deps.maxLeaseMs))
    client.on('close', () => this.#left())
    client.on('ready', () => void this.examine())
  }

  countsInMs(): number | undefined {
    if (failpoint('redlock/count-every-vote')) return 0
    return this.#eligibility.countsInMs(this.#deps.clock.monotonicMs())
  }

  doubt(): IngotError {
    const ms = this.countsInMs()
    if (ms === undefined) {
      return this.#eligibility.cause ?? new IngotError('REDIS_UNREACHABLE', `${this.name} is not connected`)
    }
    const since = `${this.name} may have restarted without its data less than ${this.#deps.maxLeaseMs} ms ago`
    return new IngotError('LOCK_BACKEND_UNAVAILABLE', `${since}; its votes count in ${Math.ceil(ms)} ms`)
  }

  async examine(): Promise<void> {
    const connection = this.#connection
    this.#again?.cancel()
    try {
      const facts = await askFacts(this.client)
      if (connection === this.#connection) this.#met(facts)
    } catch (error) {
      if (connection === this.#connection) this.#unknown(error)
    }
  }

  [Symbol.dispose](): void {
    this.#left()
    this.client.disconnect()
  }

  #met(facts: ServerFacts & { readonly configRefused: unknown }): void {
    this.#eligibility.met(facts, this.#deps.clock.monotonicMs())
    const restarted = this.runId !== undefined && this.runId !== facts.runId
    this.runId = facts.runId
    const countsInMs = this.countsInMs() ?? 0
    if (countsInMs === 0) return
    const { log, maxLeaseMs } = this.#deps
    const seen = { node: this.name, restarted, countsInMs: Math.ceil(countsInMs), maxLeaseMs, err: facts.configRefused }
    log.warn(seen, 'redlock node may have lost its data: its votes do not count yet')
  }

  #unknown(error: unknown): void {
    this.#eligibility.lost(commandError(this.name, error))
    this.#deps.log.warn({ node: this.name, err: error }, 'redlock node cannot be examined: its votes do not count')
    this.#again = this.#deps.clock.timer(AGAIN_MS, () => void this.examine())
  }

  #left(): void {
    this.#connection++
    this.#again?.cancel()
    this.#eligibility.lost()
  }
}

/** Watches a client that is not connected yet. */
export function watchNode(client: Redis, name: string, deps: NodeDeps): Node {
  return new WatchedNode(client, name, deps)
}
