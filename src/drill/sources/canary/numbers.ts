/** Stores numbers in Redis through a lock connection. Acknowledged numbers must be present afterwards. */

import { IngotError } from '../../../errors/error.ts'
import type { RedisConnection } from '../../../redis/connection.ts'
import { loadScript, scriptBody } from '../../../redis/script.ts'

const ADD = loadScript('add', import.meta.url)
const PRESENT = loadScript('present', import.meta.url)

export interface Numbers {
  /**
   * Resolves when the server has acknowledged the number. Rejects with an IngotError; the number may be stored even
   * then.
   */
  add(key: string, number: number): Promise<void>
  /** Resolves with those of `numbers` that the key holds. Rejects with an IngotError. */
  present(key: string, numbers: readonly number[]): Promise<readonly number[]>
}

const wanted = (): boolean => true

/**
 * Returns the numbers of a connection. `keepMs` is the time after the last addition at which Redis expires a key, in
 * milliseconds.
 */
export function createNumbers(connection: RedisConnection, keepMs: number): Numbers {
  const keep = String(keepMs)
  return {
    add: (key, number) =>
      connection.run({ script: ADD, ...scriptBody([key], [String(number), keep]), read: () => undefined, wanted }),
    present: (key, numbers) =>
      connection.run({
        script: PRESENT,
        ...scriptBody([key], numbers.map(String)),
        read: (reply) => presentOf(reply, numbers),
        wanted,
      }),
  }
}

function presentOf(reply: unknown, numbers: readonly number[]): readonly number[] {
  if (typeof reply === 'string' && reply.length === numbers.length) return numbers.filter((_, at) => reply[at] === '1')
  throw new IngotError('REDIS_UNREACHABLE', 'the response of the server is not one of its script')
}
