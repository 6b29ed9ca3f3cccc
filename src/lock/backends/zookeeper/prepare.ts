/** Creates the nodes above the queues, and verifies that the servers and the user's rights suffice. */
import { newToken } from '../../token.ts'
import type { Connection } from './connection.ts'
import { isRefusal } from './failure.ts'
import { createNode, deleteNode, readNode } from './requests.ts'
import { CODE, MODE, OP, type Stat } from './wire.ts'

interface Prepared {
  /** Differs between ensembles, and changes when the node above the queues was deleted. */
  readonly identity: string
  /** A transaction of the present leader. */
  readonly zxid: bigint
}

/** Rejects with a `Refusal` for missing rights and for old servers, and with LOCK_* if the connection ended. */
export async function prepare(connection: Connection, base: string, isUsersOnly: boolean): Promise<Prepared> {
  const found = await statOf(connection, base)
  if (found === undefined) await createPath(connection, base, isUsersOnly)
  const { czxid = 0n, ctime = 0n } = found ?? (await statOf(connection, base)) ?? {}
  const probe = `${base}/start-${newToken()}`
  await connection.request(OP.createContainer, createNode(probe, MODE.container, isUsersOnly))
  const { zxid } = await connection.request(OP.delete, deleteNode(probe))
  return { identity: `zookeeper:${czxid.toString(16)}:${ctime.toString(16)}`, zxid }
}

/** Creates the node that has the queue of a key. The server deletes it when it has been empty for a while. */
export async function createQueue(
  connection: Connection,
  base: string,
  queue: string,
  isUsersOnly: boolean,
): Promise<void> {
  const create = (): Promise<void> =>
    unlessExists(connection.request(OP.createContainer, createNode(queue, MODE.container, isUsersOnly)))
  try {
    await create()
  } catch (thrown) {
    if (!isRefusal(thrown, CODE.noNode)) throw thrown
    await createPath(connection, base, isUsersOnly)
    await create()
  }
}

/** Returns what a server knows of a node, or `undefined` if there is none. */
export async function statOf(connection: Connection, path: string): Promise<Stat | undefined> {
  try {
    return (await connection.request(OP.exists, readNode(path))).body.stat()
  } catch (thrown) {
    if (isRefusal(thrown, CODE.noNode)) return undefined
    throw thrown
  }
}

async function createPath(connection: Connection, path: string, isUsersOnly: boolean): Promise<void> {
  const names = path.split('/').slice(1)
  for (const [i] of names.entries()) {
    const node = `/${names.slice(0, i + 1).join('/')}`
    await unlessExists(connection.request(OP.create2, createNode(node, MODE.persistent, isUsersOnly)))
  }
}

async function unlessExists(creation: Promise<unknown>): Promise<void> {
  try {
    await creation
  } catch (thrown) {
    if (!isRefusal(thrown, CODE.nodeExists)) throw thrown
  }
}
