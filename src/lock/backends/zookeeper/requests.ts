/** The names of nodes, the requests about them, and the order of a queue. */
import type { Key, Token } from '../../lock.ts'
import { MODE, Writer } from './wire.ts'

const NOTHING = Buffer.alloc(0)
/** The server adds ten digits to the names of nodes in a queue. After 2^31 nodes the numbers are negative. */
const NAME = /^(.*)\.(-?\d{10})$/

/** Returns the node that has the queue of a key. Base64url keeps slashes out of names. */
export function queueOf(base: string, key: Key): string {
  return `${base}/${Buffer.from(key).toString('base64url')}`
}

/** Returns the beginning of the names of a token's nodes. The server adds a number. */
export const prefixOf = (token: Token): string => `${encodeURIComponent(token)}.`

export function createNode(path: string, mode: number, isUsersOnly: boolean): Buffer {
  return new Writer().text(path).bytes(NOTHING).rights(isUsersOnly).int(mode).content()
}

/** Adds a node to a queue. It ends with the session. */
export function joinQueue(queue: string, token: Token, isUsersOnly: boolean): Buffer {
  return createNode(`${queue}/${prefixOf(token)}`, MODE.ephemeralSequential, isUsersOnly)
}

/** Deletes a node, or writes to it, whatever its version. */
export const deleteNode = (path: string): Buffer => new Writer().text(path).int(-1).content()
export const writeNode = (path: string): Buffer => new Writer().text(path).bytes(NOTHING).int(-1).content()
/** Reads a node or its children. `watches` asks for an event of the next change. */
export const readNode = (path: string, watches = false): Buffer => new Writer().text(path).bool(watches).content()
export const syncNode = (path: string): Buffer => new Writer().text(path).content()

interface Member {
  readonly name: string
  readonly prefix: string
  readonly number: number
}

/** Returns the names of a queue in its order, without names that are not of a queue. */
export function inOrder(names: readonly string[]): readonly string[] {
  const members = names.flatMap((name): Member[] => {
    const [, token, number] = NAME.exec(name) ?? []
    return token === undefined ? [] : [{ name, prefix: `${token}.`, number: Number(number) }]
  })
  // the difference in 32 bits is right also where the numbers overflow
  return members.toSorted((a, b) => (a.number - b.number) | 0).map(({ name }) => name)
}
