/** One independent server: its client, and whether its votes count. Examines the server once per connection. */
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
  /** Run id of the last examined server process. `undefined` before the first examination. */
  readonly runId: string | undefined
  /**
   * Returns 0 if a vote that is sent now counts. Otherwise returns the milliseconds until then, or `undefined` for a
   * server that was not examined.
   */
  eligibleInMs(): number | undefined
  /** Returns the reason why a vote that is sent now does not count. */
  ineligibility(): IngotError
  /** Examines the server on its current connection. Never rejects: an examination without a reply is repeated. */
  examine(): Promise<void>
}

export interface NodeDeps {
  readonly clock: Clock
  readonly log: Log
  /** The longest lease of any client, in milliseconds. */
  readonly maxLeaseMs: number
}

/** Pause before a failed examination is repeated, in milliseconds. */
const RETRY_MS = 1_000

/** Settings with which the server has each vote on its disk before it replies. */
const DURABLE = new Map([
  ['appendonly', 'yes'],
  ['appendfsync', 'always'],
  ['no-appendfsync-on-rewrite', 'no'],
])

/** Returns true if the reply of CONFIG GET, a list of names and values, shows that no vote can be lost. */
function isDurable(reply: unknown): boolean {
  if (!Array.isArray(reply)) return false
  const words: readonly unknown[] = reply
  const valueOf = (name: string): unknown => words[words.indexOf(name) + 1]
  return Array.from(DURABLE).every(([name, wanted]) => words.includes(name) && valueOf(name) === wanted)
}

async function askFacts(client: Redis): Promise<ServerFacts & { readonly configRefused: unknown }> {
  const [info, config] = await Promise.allSettled([client.info('server'), client.config('GET', ...DURABLE.keys())])
  if (info.status === 'rejected') throw info.reason
  const facts = parseInfo(info.value)
  const [runId, uptime] = [facts.get('run_id'), Number(facts.get('uptime_in_seconds'))]
  if (runId === undefined || !Number.isFinite(uptime)) throw new Error('INFO contains no run_id and uptime')
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
  /** Counts the connections, so that the examination of an earlier one is not applied to the current one. */
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

  eligibleInMs(): number | undefined {
    if (failpoint('redlock/count-every-vote')) return 0
    return this.#eligibility.eligibleInMs(this.#deps.clock.monotonicMs())
  }

  ineligibility(): IngotError {
    const ms = this.eligibleInMs()
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
    this.#eligibility.examined(facts, this.#deps.clock.monotonicMs())
    const restarted = this.runId !== undefined && this.runId !== facts.runId
    this.runId = facts.runId
    const countsInMs = this.eligibleInMs() ?? 0
    if (countsInMs === 0) return
    const { log, maxLeaseMs } = this.#deps
    const seen = { node: this.name, restarted, countsInMs: Math.ceil(countsInMs), maxLeaseMs, err: facts.configRefused }
    log.warn(seen, 'redlock node may have lost its data: its votes do not count yet')
  }

  #unknown(error: unknown): void {
    this.#eligibility.lost(commandError(this.name, error))
    this.#deps.log.warn({ node: this.name, err: error }, 'redlock node cannot be examined: its votes do not count')
    this.#again = this.#deps.clock.timer(RETRY_MS, () => void this.examine())
  }

  #left(): void {
    this.#connection++
    this.#again?.cancel()
    this.#eligibility.lost()
  }
}

/** Watches a client that is not yet connected. */
export function watchNode(client: Redis, name: string, deps: NodeDeps): Node {
  return new WatchedNode(client, name, deps)
}
