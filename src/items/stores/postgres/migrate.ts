/**
 * Brings a database to the schema of this version. It applies the .sql files of migrations/ that are missing, in the
 * order of their numbers, in one transaction. That transaction holds a lock, so any number of replicas may start at
 * once: one migrates, and the others find it done.
 *
 * Migrations only add. A migration adds what the new version needs and keeps what the old version uses, so that
 * replicas of both run side by side. A later version removes unused parts. A released file is never edited; its
 * checksum would reveal a change. A database of a newer version is refused, because this version does not know its
 * schema.
 */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { IngotError } from '../../../errors/error.ts'
import {
  COMMIT,
  createTransactions,
  type Exchange,
  ROLLBACK,
  type Statement,
  type Transactions,
} from '../../../postgres/transactions.ts'
import { systemClock } from '../../../std/clock.ts'
import { type RetryOptions, retry } from '../../../std/retry.ts'
import { number, type Row, text } from './rows.ts'

export interface Migration {
  readonly version: number
  readonly name: string
  readonly sql: string
  readonly checksum: string
}

export interface MigrationReport {
  /** Names of the migrations that were applied now. Empty if the schema was up to date. */
  readonly applied: readonly string[]
  readonly version: number
}

export interface MigrateOptions {
  /** Address to connect to, without the pooler if there is one. */
  readonly url: string
  /** Time limit for waiting for other replicas, and for one migration, in milliseconds. Default: 60000. */
  readonly timeoutMs?: number
  /** Default: the migrations of this version. */
  readonly migrations?: readonly Migration[]
}

const FOLDER = new URL('./migrations/', import.meta.url)
const FILE = /^(\d{4})-[a-z0-9-]+\.sql$/

/** lock_not_available: a migration gave up (`lock_timeout`), because other clients would have waited behind it. */
const isLockTimeout = (thrown: unknown): boolean => thrown instanceof IngotError && thrown.facts['sqlstate'] === '55P03'

/** About a minute, together with the lock timeouts of the migrations. */
const LOCK_RETRIES: RetryOptions = {
  // an array, because an iterator could be used only once
  delays: Array.from({ length: 12 }, (_, n) => Math.min(2_000, 100 * 2 ** n)),
  clock: systemClock,
  signal: new AbortController().signal,
  retryable: isLockTimeout,
}

/** "ingo" in ASCII, as in the functions. -1, because the buckets of collections are 0 or above. */
const LOCK_MIGRATIONS: Statement = { text: 'SELECT pg_advisory_xact_lock(1768843119, -1)' }

const MAKE_TABLE: Statement = {
  text: `CREATE TABLE IF NOT EXISTS ingot_migrations (
    version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied timestamptz NOT NULL DEFAULT now())`,
}

const FIND_TABLE: Statement = { text: "SELECT to_regclass('ingot_migrations') IS NOT NULL AS found" }
const APPLIED: Statement = { text: 'SELECT version, name, checksum FROM ingot_migrations ORDER BY version' }
const RECORD = 'INSERT INTO ingot_migrations (version, name, checksum) VALUES ($1, $2, $3)'

/** Returns the migrations of this version, oldest first. */
export async function readMigrations(): Promise<readonly Migration[]> {
  const files = (await readdir(FOLDER)).filter((file) => FILE.test(file)).toSorted()
  return Promise.all(
    files.map(async (name) => {
      const sql = await readFile(new URL(name, FOLDER), 'utf8')
      const checksum = createHash('sha256').update(sql).digest('hex')
      return { version: Number(FILE.exec(name)?.[1]), name, sql, checksum }
    }),
  )
}

/**
 * Applies the missing migrations. Rejects with IngotError STORE_SHAPE_UNKNOWN for a database of a newer version, or
 * STORE_UNAVAILABLE if it cannot be reached or changed.
 */
export async function migrate(options: MigrateOptions): Promise<MigrationReport> {
  const migrations = options.migrations ?? (await readMigrations())
  const { url, timeoutMs = 60_000 } = options
  await using transactions = createTransactions({ url, errorCode: 'STORE_UNAVAILABLE', connections: 1, timeoutMs })
  const missing = await findMissing(transactions, migrations)
  const applied = missing.length === 0 ? [] : await retry(() => applyMissing(transactions, migrations), LOCK_RETRIES)
  return { applied: applied.map(({ name }) => name), version: migrations.at(-1)?.version ?? 0 }
}

/**
 * Works without a lock and without the right to create, because replicas may have a role that only reads and writes.
 */
async function findMissing(
  transactions: Transactions,
  migrations: readonly Migration[],
): Promise<readonly Migration[]> {
  const { rows } = await transactions.once(FIND_TABLE)
  if (rows[0]?.['found'] !== true) return migrations
  return missingOf(migrations, (await transactions.once(APPLIED)).rows)
}

function applyMissing(transactions: Transactions, migrations: readonly Migration[]): Promise<readonly Migration[]> {
  return transactions.session(async (exchange) => {
    const results = await exchange([transactions.begin, LOCK_MIGRATIONS, MAKE_TABLE, APPLIED])
    const missing = missingOf(migrations, results.at(-1)?.rows ?? [])
    for (const migration of missing) await apply(exchange, migration)
    await exchange([missing.length === 0 ? ROLLBACK : COMMIT])
    return missing
  })
}

async function apply(exchange: Exchange, { version, name, sql, checksum }: Migration): Promise<void> {
  try {
    await exchange([{ text: sql }, { text: RECORD, values: [version, name, checksum] }])
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const facts = cause instanceof IngotError ? cause.facts : {}
    throw new IngotError('STORE_UNAVAILABLE', `migration ${name} failed, nothing was changed: ${reason}`, {
      cause,
      facts,
    })
  }
}

function missingOf(migrations: readonly Migration[], applied: readonly Row[]): readonly Migration[] {
  const known = new Map(migrations.map((migration) => [migration.version, migration]))
  for (const row of applied) checkApplied(row, known)
  const versions = new Set(applied.map((row) => number(row, 'version')))
  return migrations.filter(({ version }) => !versions.has(version))
}

function checkApplied(row: Row, known: ReadonlyMap<number, Migration>): void {
  const migration = known.get(number(row, 'version'))
  const name = text(row, 'name')
  if (migration === undefined) {
    const newest = Math.max(0, ...known.keys())
    throw new IngotError(
      'STORE_SHAPE_UNKNOWN',
      `the database has migration "${name}", but the newest one of this version is number ${newest}`,
    )
  }
  if (migration.checksum !== text(row, 'checksum')) {
    throw new IngotError(
      'STORE_SHAPE_UNKNOWN',
      `migration "${name}" of the database differs from the one of this version`,
    )
  }
}
