/** The scripts of a lock as functions: what goes to the server, and what its answer means. */
import type { RedisConnection } from '../../redis/connection.ts'
import { loadScript } from '../../redis/script.ts'
import type { Inspection, Token } from '../lock.ts'
import type { LockNames } from './keys.ts'
import { type Answer, readAnswers, readHolder } from './reply.ts'

const ACQUIRE = loadScript('acquire', import.meta.url)
const EXTEND = loadScript('extend', import.meta.url)
const RELEASE = loadScript('release', import.meta.url)
const INSPECT = loadScript('inspect', import.meta.url)

/** A lease to end. */
export interface Given {
  readonly token: Token
  readonly names: LockNames
  /** Nothing is sent after it has aborted. */
  readonly signal: AbortSignal
}

/** A lease to take. */
export interface Wanted extends Given {
  readonly ttlMs: number
  /** Keep a place when refused. */
  readonly queue: boolean
}

/** Each rejects with the connection's Fault. What takes several is one script, and so atomic. */
export interface Scripts {
  acquire(batch: readonly Wanted[]): Promise<readonly Answer[]>
  /** Whether each lease was its token's own. */
  release(batch: readonly Given[]): Promise<readonly boolean[]>
  /** Whether the lease was the token's own. */
  extend(lock: string, lease: { readonly token: Token; readonly ttlMs: number }, signal: AbortSignal): Promise<boolean>
  inspect(lock: string, signal: AbortSignal): Promise<Inspection>
}

export interface ScriptTerms {
  /** Ends the names of this client's channels. */
  readonly client: string
  readonly needsEpoch: boolean
  /** How long a released key is kept for the next in line. */
  readonly keepMs: number
}

/** Redis takes whole milliseconds; a lease rounded up ends no earlier than its holder believes. */
function wholeMs(ttlMs: number): number {
  return Math.ceil(ttlMs)
}

/** Names no two calls share: an epoch fetched for an earlier claim must never fit a later one. */
function createUnique(client: string): () => string {
  let calls = 0
  return () => `${client}.${++calls}`
}

const allWanted = (batch: readonly Given[]) => (): boolean => batch.every(({ signal }) => !signal.aborted)

export function createScripts(connection: RedisConnection, { client, needsEpoch, keepMs }: ScriptTerms): Scripts {
  const unique = createUnique(client)
  return {
    async acquire(batch) {
      const keys: string[] = []
      const args: (string | number)[] = [needsEpoch ? '1' : '0', client, needsEpoch ? unique() : '']
      for (const { names, token, ttlMs, queue } of batch) {
        keys.push(names.lock, names.fence, names.queue)
        args.push(token, wholeMs(ttlMs), queue ? '1' : '0')
      }
      return readAnswers(await connection.run({ script: ACQUIRE, keys, args, wanted: allWanted(batch) }))
    },
    async release(batch) {
      const keys: string[] = []
      const args: (string | number)[] = [keepMs, client]
      for (const { names, token } of batch) {
        keys.push(names.lock, names.queue)
        args.push(token, names.channels)
      }
      const reply = await connection.run({ script: RELEASE, keys, args, wanted: allWanted(batch) })
      return Array.isArray(reply) ? reply.map((own) => own === 1) : []
    },
    async extend(lock, { token, ttlMs }, signal) {
      const args = [token, wholeMs(ttlMs)]
      return (await connection.run({ script: EXTEND, keys: [lock], args, wanted: () => !signal.aborted })) === 1
    },
    async inspect(lock, signal) {
      return readHolder(
        await connection.run({ script: INSPECT, keys: [lock], args: [], wanted: () => !signal.aborted }),
      )
    },
  }
}
