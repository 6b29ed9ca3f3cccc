/** A pool of connections to MySQL or MariaDB. A connection whose statement failed or took too long is closed. */
import mysql from 'mysql2/promise'
import { type ErrorCode, IngotError, reasonOf } from '../../../errors/error.ts'
import { isTlsFailure } from '../../../std/tls-failure.ts'
import type { ServiceUrl, TlsFiles } from '../../service-url.ts'
import type { Statement } from './statements.ts'

export type Row = Readonly<Record<string, unknown>>

export interface Database extends AsyncDisposable {
  /** Runs the statements of a text, and returns the rows of the last one. Rejects with a code LOCK_*. */
  run(statement: Statement): Promise<readonly Row[]>
}

/** Longest time for a connection, and for one text, in milliseconds. */
const ANSWER_MS = 2_000
const CONNECTIONS = 4
/** Deadlock, and lock wait timeout: the server rolled back. Source: MySQL server error reference. */
const AGAIN = new Set(['ER_LOCK_DEADLOCK', 'ER_LOCK_WAIT_TIMEOUT'])
const ATTEMPTS = 5
const ACCESS =
  /^ER_(ACCESS_DENIED|DBACCESS_DENIED|TABLEACCESS_DENIED|SPECIFIC_ACCESS_DENIED|BAD_DB|NO_DB|NOT_SUPPORTED_AUTH)/

export function createDatabase(url: ServiceUrl, tls: TlsFiles | undefined): Database {
  const [{ host, port } = { host: '', port: 0 }] = url.servers
  const pool = mysql.createPool({
    host,
    port,
    user: url.user ?? 'root',
    password: url.password ?? '',
    database: url.path,
    connectionLimit: CONNECTIONS,
    connectTimeout: ANSWER_MS,
    multipleStatements: true,
    timezone: 'Z',
    supportBigNumbers: true,
    bigNumberStrings: true,
    ...(tls === undefined ? {} : { ssl: { ...tls, rejectUnauthorized: true } }),
  })

  async function attempt({ text, values }: Statement): Promise<readonly Row[]> {
    const connection = await pool.getConnection()
    try {
      const [result] = await connection.query({ sql: text, values: [...values], timeout: ANSWER_MS })
      connection.release()
      return lastRows(result)
    } catch (thrown) {
      // it may be in a transaction, or its response may still come
      connection.destroy()
      throw thrown
    }
  }

  return {
    async run(statement) {
      for (let left = ATTEMPTS; ; left--) {
        try {
          return await attempt(statement)
        } catch (thrown) {
          if (left > 1 && AGAIN.has(codeIn(thrown))) continue
          throw failure(`${host}:${port}`, thrown)
        }
      }
    },
    [Symbol.asyncDispose]: () => pool.end(),
  }
}

function codeIn(thrown: unknown): string {
  return thrown instanceof Error && 'code' in thrown ? String(thrown.code) : ''
}

function failure(where: string, cause: unknown): IngotError {
  const code = codeIn(cause)
  const isTls = isTlsFailure(cause) || /^HANDSHAKE_(NO_SSL_SUPPORT|SSL_ERROR)/.test(code)
  const isAccess = ACCESS.test(code) || /insecure transport|require_secure_transport/.test(reasonOf(cause))
  const kind: ErrorCode = isTls ? 'LOCK_TLS_FAILED' : isAccess ? 'LOCK_ACCESS_REFUSED' : 'LOCK_BACKEND_UNAVAILABLE'
  return new IngotError(kind, `MySQL ${where}: ${reasonOf(cause)}`, { cause })
}

/** Returns the rows of the last statement. For one statement the driver returns its rows, else a list of results. */
function lastRows(result: unknown): readonly Row[] {
  if (!Array.isArray(result)) return []
  const last: unknown = result.at(-1)
  const rows: readonly unknown[] = Array.isArray(last) ? last : result
  return rows.filter((row) => typeof row === 'object' && row !== null).map((row) => ({ ...row }))
}
