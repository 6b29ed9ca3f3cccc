/**
 * The Redis key names of a lock. Every lock belongs to one of 1,024 tags, and each tag has one permanent fence. A million
 * locks therefore leave 1,024 keys behind, not a million. The tag is the hash tag of Redis Cluster, so a lock, its fence,
 * its queue and its channels are always on one server.
 *
 * All processes of a deployment must compute the same tag. The hash and the number of tags must not change, unless the
 * fences are migrated.
 */
import { bulk } from '../../../redis/script.ts'
import type { Key } from '../../lock.ts'

export const TAGS = 1_024
/** Size of the cache of names. A release follows every grant. */
const RECENT = 4_096

export interface LockNames {
  readonly tag: number
  readonly lock: string
  readonly fence: string
  readonly queue: string
  /** Prefix of each client's channel. */
  readonly channels: string
  /** The protocol's strings for lock, fence and queue. */
  readonly wire: string
  /** The same for lock and queue alone. */
  readonly shortWire: string
}

export interface Names {
  of(key: Key): LockNames
  /** The fence of each tag, by tag. */
  readonly fences: readonly string[]
  /** Returns the key of a lock's name in a wake-up message. Returns `undefined` for any other text. */
  keyOf(lock: string): Key | undefined
}

const LOCK = '}:lock:'
const OFFSET_BASIS = 0x811c9dc5
const PRIME = 0x01000193

function hashBytes(bytes: Iterable<number>): number {
  let hash = OFFSET_BASIS
  for (const byte of bytes) hash = Math.imul(hash ^ byte, PRIME)
  return hash >>> 0
}

/**
 * Returns the tag of a key: FNV-1a of its UTF-8, with the two halves folded onto each other, because the low bits alone
 * depend on few bits of the input. Source: Noll, "FNV Hash", http://www.isthe.com/chongo/tech/comp/fnv, with its
 * xor-folding.
 */
export function tagOf(key: Key): number {
  let hash = OFFSET_BASIS
  for (let i = 0; i < key.length; i++) {
    const unit = key.charCodeAt(i)
    if (unit > 0x7f) {
      hash = hashBytes(Buffer.from(key))
      break
    }
    hash = Math.imul(hash ^ unit, PRIME)
  }
  return ((hash >>> 16) ^ hash) & (TAGS - 1)
}

/** Creates the names under `namespace`, which must not contain braces. */
export function createNames(namespace: string): Names {
  const tags = Array.from({ length: TAGS }, (_, tag) => `${namespace}:{${tag}}:`)
  const recent = new Map<Key, LockNames>()

  function make(key: Key): LockNames {
    const tag = tagOf(key)
    const prefix = tags[tag] ?? ''
    const [lock, fence, queue] = [`${prefix}lock:${key}`, `${prefix}fence`, `${prefix}queue:${key}`]
    const wire = bulk(lock) + bulk(fence) + bulk(queue)
    return { tag, lock, fence, queue, channels: `${prefix}wake:`, wire, shortWire: bulk(lock) + bulk(queue) }
  }

  return {
    fences: tags.map((prefix) => `${prefix}fence`),
    of(key) {
      const known = recent.get(key)
      if (known !== undefined) return known
      if (recent.size >= RECENT) recent.clear()
      const names = make(key)
      recent.set(key, names)
      return names
    },
    keyOf(lock) {
      const end = lock.indexOf(LOCK)
      return lock.startsWith(`${namespace}:{`) && end >= 0 ? lock.slice(end + LOCK.length) : undefined
    },
  }
}
