/**
 * A fence store in Postgres, for services on many machines. Every issued number is on disk: `nextval` is part of the
 * transaction's commit record, which is flushed before the response (`synchronous_commit` must not be off). A server
 * restored from an older backup would repeat numbers. Set the sequence above them before locks are acquired again.
 */
import { readFile } from 'node:fs/promises'
import { IngotError } from '../../errors/error.ts'
import { createPostgres, type Postgres } from '../../postgres/pool.ts'
import type { FenceStore, PrimaryTerm } from './fence-store.ts'

const script = (name: string): Promise<string> => readFile(new URL(name, import.meta.url), 'utf8')

const NEXT_FENCE = "SELECT nextval('ingot_fence') AS fence"
const TERMS = `
  SELECT line, epoch, owner, members::text AS members FROM ingot_fence_tenure WHERE line = ANY ($1::text[])`
const TAKE = 'SELECT ingot_fence_take_1($1, $2::bigint, $3, $4::text[], $5::text[]) AS epoch'
/** Width of the columns for members. */
const WIDTH = 1_024
const SETTING = 'SHOW synchronous_commit'

function numberOf(value: unknown): bigint {
  if (typeof value === 'string') return BigInt(value)
  throw new IngotError('FENCE_STORE_UNAVAILABLE', 'the fence store did not return a number')
}

function termOf(row: Readonly<Record<string, unknown>>): PrimaryTerm {
  return {
    line: String(row['line']),
    epoch: numberOf(row['epoch']),
    owner: String(row['owner']),
    members: String(row['members']),
  }
}

async function prepare(postgres: Postgres, signal: AbortSignal): Promise<void> {
  await postgres.query(await script('./schema.sql'), [], signal)
  const { rows } = await postgres.query(SETTING, [], signal)
  if (rows[0]?.['synchronous_commit'] !== 'off') return
  throw new IngotError(
    'CONFIG_INVALID',
    'the fence store has synchronous_commit off: a crash would repeat fences; turn it on',
  )
}

/**
 * Connects and creates the tables. Rejects with `FENCE_STORE_UNAVAILABLE`, or with `CONFIG_INVALID` for a server that
 * may lose issued numbers.
 */
export async function openPostgresFences(url: string, signal: AbortSignal): Promise<FenceStore> {
  const postgres = createPostgres({ url, errorCode: 'FENCE_STORE_UNAVAILABLE' })
  try {
    const epoch = await script('./epoch.sql')
    await prepare(postgres, signal)
    return {
      async epochOf(identity, abort) {
        return numberOf((await postgres.query(epoch, [identity], abort)).rows[0]?.['epoch'])
      },
      async termsOf(lines, abort) {
        return (await postgres.query(TERMS, [lines], abort)).rows.map(termOf)
      },
      async takeTerm({ owner, above, mark, parts }, abort) {
        const lines = parts.map(({ line }) => line)
        const members = parts.map((part) => part.members.padEnd(WIDTH, '0'))
        const values = [owner, String(above), mark ?? null, lines, members]
        return numberOf((await postgres.query(TAKE, values, abort)).rows[0]?.['epoch'])
      },
      async nextFence(_key, abort) {
        return numberOf((await postgres.query(NEXT_FENCE, [], abort)).rows[0]?.['fence'])
      },
      [Symbol.asyncDispose]: () => postgres[Symbol.asyncDispose](),
    }
  } catch (error) {
    await postgres[Symbol.asyncDispose]()
    throw error
  }
}
