/** The requests of the etcd lock and their responses. Names are base64 and numbers are texts, as the gateway wants them. */
import type { Key, Token } from '../../lock.ts'
import { isJson, type Json } from './gateway.ts'

/** A token's place in the queue of a key. */
export interface Entry {
  readonly name: string
  /** Revision that created it: the order in the queue, and the fence. */
  readonly revision: bigint
  readonly lease: string
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')

/** Returns the beginning of the names of a key's entries. Base64url and the slash keep keys from being prefixes of others. */
export function prefixOf(namespace: string, key: Key): string {
  return `${namespace}/l/${Buffer.from(key).toString('base64url')}/`
}

export const nameOf = (namespace: string, key: Key, token: Token): string => `${prefixOf(namespace, key)}${token}`

/** Returns the range of all names with this prefix, which ends with a slash. "0" follows the slash. */
function rangeOf(prefix: string): Json {
  return { key: base64(prefix), range_end: base64(`${prefix.slice(0, -1)}0`) }
}

const inOrder = (prefix: string): Json => ({ ...rangeOf(prefix), sort_order: 'ASCEND', sort_target: 'CREATE' })
const absent = (where: Json): Json => ({ ...where, target: 'CREATE', result: 'EQUAL', create_revision: '0' })

const put = (name: string, lease: string): Json => ({ request_put: { key: base64(name), value: '', lease } })

/** Adds the entry if the queue is empty, else reads the first entry. */
export function claimIfFree(prefix: string, name: string, lease: string): Json {
  const read = { request_range: { ...inOrder(prefix), limit: '1' } }
  return { compare: [absent(rangeOf(prefix))], success: [put(name, lease), read], failure: [read] }
}

/** Adds the entry unless it exists, and reads the queue. */
export function queueUp(prefix: string, name: string, lease: string): Json {
  const read = { request_range: { ...inOrder(prefix), keys_only: true } }
  return { compare: [absent({ key: base64(name) })], success: [put(name, lease), read], failure: [read] }
}

export function deleteEntry(name: string): Json {
  const present = { key: base64(name), target: 'CREATE', result: 'GREATER', create_revision: '0' }
  return { compare: [present], success: [{ request_delete_range: { key: base64(name) } }], failure: [] }
}

/** Puts the entry on another lease, if it is still the same. */
export function moveEntry({ name, revision }: Entry, lease: string): Json {
  const same = { key: base64(name), target: 'CREATE', result: 'EQUAL', create_revision: String(revision) }
  return { compare: [same], success: [put(name, lease)], failure: [] }
}

export const readEntry = (name: string): Json => ({ key: base64(name) })
export const readFirst = (prefix: string): Json => ({ ...inOrder(prefix), limit: '1' })

/** Watches for the deletion of an entry after a revision. */
export function watchEntry(name: string, revision: bigint): Json {
  const create = { key: base64(name), start_revision: String(revision + 1n), filters: ['NOPUT'] }
  return { create_request: create }
}

/** Returns the entries of a response to a range. */
export function entriesOf(response: Json): readonly Entry[] {
  const { kvs } = response
  if (!Array.isArray(kvs)) return []
  return kvs.filter(isJson).map((kv) => ({
    name: Buffer.from(String(kv['key']), 'base64').toString(),
    revision: BigInt(String(kv['create_revision'])),
    lease: typeof kv['lease'] === 'string' ? kv['lease'] : '0',
  }))
}

/** Returns the entries that the last request of a transaction read. */
export function entriesOfTxn({ responses }: Json): readonly Entry[] {
  const last: unknown = Array.isArray(responses) ? responses.at(-1) : undefined
  const range = isJson(last) ? last['response_range'] : undefined
  return isJson(range) ? entriesOf(range) : []
}

export function revisionOf({ header }: Json): bigint {
  return isJson(header) && typeof header['revision'] === 'string' ? BigInt(header['revision']) : 0n
}

/** Returns true for a response of a watch with a deletion, and for one that ends the watch. */
export function isDeletion({ result }: Json): boolean {
  if (!isJson(result)) return true
  return result['canceled'] === true || (Array.isArray(result['events']) && result['events'].length > 0)
}
