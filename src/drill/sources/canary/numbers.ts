/** Numbers kept in Redis by the connection that locks use: what was acknowledged must be there afterwards. */

import { IngotError } from '../../../errors/error.ts'
import type { RedisConnection } from '../../../redis/connection.ts'
import { loadScript, scriptBody } from '../../../redis/script.ts'

const ADD = loadScript('add', import.meta.url)
const PRESENT = loadScript('present', import.meta.url)

export interface Numbers {
  /** Resolves when the server has acknowledged it. Rejects with a IngotError; it may have been taken all the same. */
  add(key: string, number: number): Promise<void>
  /** Those of `numbers` that the key holds. Rejects with a IngotError. */
  present(key: string, numbers: readonly number[]): Promise<readonly number[]>
}

const wanted = (): boolean => true

/** `keepMs`: how long after the last addition Redis forgets a key by itself. */
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
  throw new IngotError('REDIS_UNREACHABLE', 'the server answered otherwise than its script')
}
