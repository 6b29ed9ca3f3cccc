/** What the server itself says of damaged pages. */
import { IngotError } from '../../../errors/error.ts'

/** data_corrupted, index_corrupted. Source: the server's table of error codes, class XX. */
const DAMAGED: ReadonlySet<unknown> = new Set(['XX001', 'XX002'])

/** Settles as `answer` does, with IngotError STORE_CORRUPT where the server has found damage. */
export async function sayDamage<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (thrown) {
    if (!(thrown instanceof IngotError) || !DAMAGED.has(thrown.facts['sqlstate'])) throw thrown
    throw new IngotError('STORE_CORRUPT', thrown.message, { cause: thrown, facts: thrown.facts })
  }
}
