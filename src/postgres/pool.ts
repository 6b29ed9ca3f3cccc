/** A pool of connections to Postgres. Every query has a deadline, and every failure has the same error code. */
import pg from 'pg'
import { type ErrorCode, IngotError } from '../errors/error.ts'

export interface Rows {
  readonly rows: readonly Readonly<Record<string, unknown>>[]
  /** Rows written or read. */
  readonly count: number
}

export interface Postgres extends AsyncDisposable {
  /**
   * Runs one statement with its values, or several without. Rejects with the pool's error code, or with the signal's
   * reason if that aborts first; the server may still finish the statement then. 64-bit integers are returned as text.
   */
  query(text: string, values: readonly unknown[], signal: AbortSignal): Promise<Rows>
}

export interface PostgresOptions {
  /** `postgres://user:password@host:port/database`, with libpq's parameters. */
  readonly url: string
  /** The code of the errors that failures become. */
  readonly errorCode: ErrorCode
  /** Maximum number of connections. Default: 4. */
  readonly connections?: number
  /** Longest time for a connection, and for one statement, in milliseconds. Default: 5000. */
  readonly timeoutMs?: number
}

/** Settles as the promise does. Rejects as soon as the signal aborts, without waiting for the promise. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const quit = (): void => reject(signal.reason)
    signal.addEventListener('abort', quit, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', quit))
  })
}

/** Returns a pool that connects at its first query. That query also reports a wrong address. */
export function createPostgres(options: PostgresOptions): Postgres {
  const timeoutMs = options.timeoutMs ?? 5_000
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.connections ?? 4,
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs,
    statement_timeout: timeoutMs,
    allowExitOnIdle: true,
  })
  // an idle connection that breaks is replaced by the next query, which reports a persistent failure
  pool.on('error', () => {})

  async function run(text: string, values: readonly unknown[]): Promise<Rows> {
    try {
      const result = await pool.query<Record<string, unknown>>(text, values.length === 0 ? undefined : [...values])
      return { rows: result.rows, count: result.rowCount ?? 0 }
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new IngotError(options.errorCode, `Postgres did not answer as it should: ${reason}`, { cause })
    }
  }

  return {
    async query(text, values, signal) {
      signal.throwIfAborted()
      return orAborted(run(text, values), signal)
    },
    [Symbol.asyncDispose]: () => pool.end(),
  }
}
