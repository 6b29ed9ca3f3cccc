/**
 * Runs transactions on Postgres in as few round trips as possible: statements that do not depend on each other's
 * results are sent together (the protocol's pipeline).
 *
 * - A session keeps no state: every setting is local to its transaction and no statement is prepared under a name. So
 *   this works through a pooler that gives each transaction another connection.
 * - Every statement has two deadlines: the server's own, and one in the client for a server that stops responding.
 * - Only a primary is used, because the data of a standby may be old.
 * - A commit that returned is on disk, whatever the role's default for synchronous_commit is.
 * - A connection is reused only if its transaction is known to have ended. Otherwise it is cut, which rolls back.
 */
import pg from 'pg'
import { type ErrorCode, IngotError } from '../errors/error.ts'
import { type Clock, systemClock } from '../std/clock.ts'
import { typeParsers } from './integer-list.ts'
import type { Rows } from './pool.ts'

export interface Statement {
  readonly text: string
  readonly values?: readonly unknown[]
}

/** Sends all statements without waiting for results, and resolves with all results. */
export type Exchange = (statements: readonly Statement[]) => Promise<readonly Rows[]>

export interface Transactions extends AsyncDisposable {
  /** Runs the statement in its own transaction, in one round trip. */
  once(statement: Statement): Promise<Rows>
  /**
   * Runs exchanges on one connection. The first one begins with `begin`, the last one ends with `COMMIT` or `ROLLBACK`.
   */
  session<T>(work: (exchange: Exchange) => Promise<T>): Promise<T>
  readonly begin: Statement
  /** Returns the current state of the pool. */
  connections(): PoolState
}

export interface PoolState {
  readonly idle: number
  readonly used: number
  /** Maximum number of connections. */
  readonly limit: number
  /** Callers that wait for a connection. */
  readonly waiting: number
}

export const COMMIT: Statement = { text: 'COMMIT' }
export const ROLLBACK: Statement = { text: 'ROLLBACK' }

export interface TransactionsOptions {
  /** `postgres://user:password@host:port/database`, with libpq's parameters. */
  readonly url: string
  /**
   * The code of the errors that failures become. If the server reported the failure, the fact `sqlstate` has its own
   * code.
   */
  readonly errorCode: ErrorCode
  /** Maximum number of connections. Default: 4. */
  readonly connections?: number
  /** Longest time for one statement, in milliseconds. A connection may take at most 5000 of them. Default: 5000. */
  readonly timeoutMs?: number
  readonly clock?: Clock
}

/** Time that the client waits beyond the server's own timeout, whose message says more than a missing response. */
const GRACE_MS = 1_000

/** Longest time for a connection. An available server accepts sooner, and callers have deadlines of their own. */
const CONNECT_MS = 5_000

/** How long idle connections are kept, in milliseconds. */
const IDLE_MS = 60_000

/** How long closing waits for the server to end its connections, in milliseconds. */
const CLOSE_MS = 1_000

/** Returns a pool that connects at its first statement. That statement also reports a wrong address. */
export function createTransactions(options: TransactionsOptions): Transactions {
  return new PooledTransactions(options)
}

class PooledTransactions implements Transactions {
  readonly begin: Statement
  readonly #options: TransactionsOptions
  readonly #pool: pg.Pool
  readonly #open = new Set<pg.PoolClient>()

  constructor(options: TransactionsOptions) {
    const timeoutMs = options.timeoutMs ?? 5_000
    this.#options = options
    this.begin = { text: beginText(timeoutMs) }
    this.#pool = new pg.Pool({
      connectionString: options.url,
      max: options.connections ?? 4,
      connectionTimeoutMillis: Math.min(timeoutMs, CONNECT_MS),
      query_timeout: timeoutMs + GRACE_MS,
      idleTimeoutMillis: IDLE_MS,
      keepAlive: true,
      allowExitOnIdle: true,
      pipeline: true,
      types: typeParsers,
      fallback_application_name: 'ingot',
    })
    // an idle connection that breaks is replaced by the next transaction, which reports a persistent failure
    this.#pool.on('error', () => {})
    this.#pool.on('connect', (client) => void this.#open.add(client))
    this.#pool.on('remove', (client) => void this.#open.delete(client))
  }

  once(statement: Statement): Promise<Rows> {
    return this.session(async (exchange) => {
      const [, rows] = await exchange([this.begin, statement, COMMIT])
      return rows ?? NOTHING
    })
  }

  async session<T>(work: (exchange: Exchange) => Promise<T>): Promise<T> {
    const client = await this.#connect()
    client.on('error', ignore)
    // the driver's status is only as recent as the last result, so it counts only after all results have come
    let answered = true
    try {
      return await work(async (statements) => {
        answered = false
        const answers = await send(client, statements)
        answered = answers.every(isResult)
        return this.#rowsOf(answers, statements)
      })
    } finally {
      const ended = answered && client.getTransactionStatus() === 'I'
      if (!ended) client.connection.stream.destroy()
      client.release(!ended)
      client.off('error', ignore)
    }
  }

  connections(): PoolState {
    const { idleCount: idle, totalCount, waitingCount: waiting, options } = this.#pool
    return { idle, used: totalCount - idle, limit: options.max, waiting }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { clock = systemClock } = this.#options
    const ended = this.#pool.end()
    const timer = clock.timer(CLOSE_MS, () => {
      for (const client of this.#open) client.connection.stream.destroy()
    })
    await ended
    timer.cancel()
  }

  async #connect(): Promise<pg.PoolClient> {
    try {
      return await this.#pool.connect()
    } catch (cause) {
      throw this.#error(cause)
    }
  }

  #rowsOf(answers: readonly StatementResult[], statements: readonly Statement[]): readonly Rows[] {
    // the first failure is the cause: after it the server refuses the rest, and responds to COMMIT with ROLLBACK
    return answers.map((answer, index): Rows => {
      if (answer.status === 'rejected') throw this.#error(answer.reason)
      const last = lastResult(answer.value)
      const surprise = last && unexpectedIn(last, statements[index])
      if (surprise !== undefined) throw this.#error(new Error(surprise))
      return { rows: last?.rows ?? [], count: last?.rowCount ?? 0 }
    })
  }

  #error(cause: unknown): IngotError {
    const reason = cause instanceof Error ? cause.message || cause.name : String(cause)
    const sqlstate = cause instanceof pg.DatabaseError ? cause.code : undefined
    const facts = sqlstate === undefined ? {} : { sqlstate }
    return new IngotError(this.#options.errorCode, `Postgres did not answer as it should: ${reason}`, { cause, facts })
  }
}

type StatementResult = PromiseSettledResult<pg.QueryResult<Row>>

/**
 * Sends all statements in one write. By itself the driver writes each one, which costs both sides a system call and a
 * wake-up.
 */
function send(client: pg.PoolClient, statements: readonly Statement[]): Promise<readonly StatementResult[]> {
  const { stream } = client.connection
  stream.cork()
  const answers = Promise.allSettled(statements.map((statement) => client.query<Row>(configOf(statement))))
  stream.uncork()
  return answers
}

/**
 * Returns true if the server responded and keeps the connection. False for silence, a broken connection and a fatal
 * error.
 */
function isResult(answer: StatementResult): boolean {
  if (answer.status === 'fulfilled') return true
  return answer.reason instanceof pg.DatabaseError && answer.reason.severity === 'ERROR'
}

function unexpectedIn({ command, rows }: pg.QueryResult<Row>, statement: Statement | undefined): string | undefined {
  if (statement === COMMIT) return command === 'COMMIT' ? undefined : 'it rolled back'
  return rows[0]?.['standby'] === true ? 'it is a standby, which takes no writes' : undefined
}

/** The statement in progress reports a broken connection. */
function ignore(): void {}

type Row = Readonly<Record<string, unknown>>

const NOTHING: Rows = { rows: [], count: 0 }

function configOf({ text, values }: Statement): pg.QueryConfig {
  return values === undefined ? { text } : { text, values: [...values] }
}

/** Returns the last result. For several statements in one text the driver returns an array, which its types omit. */
function lastResult(result: pg.QueryResult<Row> | readonly pg.QueryResult<Row>[]): pg.QueryResult<Row> | undefined {
  return isList(result) ? result.at(-1) : result
}

function isList<T>(value: T | readonly T[]): value is readonly T[] {
  return Array.isArray(value)
}

function beginText(timeoutMs: number): string {
  return `BEGIN ISOLATION LEVEL READ COMMITTED;
SELECT pg_is_in_recovery() AS standby,
  set_config('statement_timeout', '${timeoutMs}', true),
  set_config('idle_in_transaction_session_timeout', '${timeoutMs}', true),
  set_config('synchronous_commit', replace(current_setting('synchronous_commit'), 'off', 'on'), true)`
}
