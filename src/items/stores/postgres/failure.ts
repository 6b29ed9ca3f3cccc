/** Translates the server's own reports of damaged pages. */
import { IngotError } from '../../../errors/error.ts'

/** data_corrupted, index_corrupted. Source: PostgreSQL, "Error Codes", class XX. */
const DAMAGED: ReadonlySet<unknown> = new Set(['XX001', 'XX002'])

/** Returns the result. Rejects with IngotError STORE_CORRUPT if the server reported damage. */
export async function reportDamage<T>(result: Promise<T>): Promise<T> {
  try {
    return await result
  } catch (thrown) {
    if (!(thrown instanceof IngotError) || !DAMAGED.has(thrown.facts['sqlstate'])) throw thrown
    throw new IngotError('STORE_CORRUPT', thrown.message, { cause: thrown, facts: thrown.facts })
  }
}
