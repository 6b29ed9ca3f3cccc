/** Waits until a node is deleted. The waiters for one node share a watch. */
import { abortable } from '../../../std/abort.ts'
import type { Connection } from './connection.ts'
import { isRefusal } from './failure.ts'
import { readNode } from './requests.ts'
import { CODE, DATA_CHANGED, OP } from './wire.ts'

export class Watches {
  readonly #armed = new Map<string, Promise<void>>()

  /** Resolves when the node is gone, after an error, when the connection has ended, or when the signal aborts. */
  async untilGone(connection: Connection, path: string, signal: AbortSignal): Promise<void> {
    const known = this.#armed.get(path)
    const armed = known ?? watch(connection, path).finally(() => this.#armed.delete(path))
    if (known === undefined) this.#armed.set(path, armed)
    armed.catch(() => {})
    await abortable(armed, signal).catch(() => {})
  }
}

/** A holder writes to its node to extend its lease, so a change of the data only renews the watch. */
async function watch(connection: Connection, path: string): Promise<void> {
  for (;;) {
    const event = connection.nextEvent(path)
    try {
      // a watch of a node that is missing would stay, if the client asked whether it exists
      await connection.request(OP.getData, readNode(path, true))
    } catch (thrown) {
      connection.ignore(path)
      if (isRefusal(thrown, CODE.noNode)) return
      throw thrown
    }
    if ((await event) !== DATA_CHANGED) return
  }
}
