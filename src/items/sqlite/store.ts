/**
 * The embedded store: one SQLite file in a folder that one process owns. What `put` answered survives the death of
 * the process and of the machine's power: the answer leaves after COMMIT has fsync'd the log.
 */
import { parsePolicy, policyText } from '../../identity/policy.ts'
import { createScope } from '../../std/scope.ts'
import type { StoredItem } from '../item.ts'
import { itemIdOfKey, itemKey } from '../item-key.ts'
import type { ItemStore, PageRequest } from '../store.ts'
import { lockFolder } from './folder-lock.ts'
import { packBatch, type Row, unpackOutcome } from './protocol.ts'
import { type StoreThread, startStoreThread } from './thread.ts'

/** Opens or makes the store in `folder`. Throws Fault STORE_LOCKED, STORE_CORRUPT or STORE_UNAVAILABLE. */
export async function openSqliteStore(folder: string): Promise<ItemStore> {
  const scope = createScope()
  try {
    const lock = lockFolder(folder)
    scope.defer(() => lock.release())
    const writer = await startStoreThread({ folder, role: 'writer' })
    scope.defer(() => writer.close())
    const reader = await startStoreThread({ folder, role: 'reader' })
    scope.defer(() => reader.close())
    return sqliteStore(writer, reader, () => scope.close())
  } catch (failure) {
    await scope.close()
    throw failure
  }
}

function sqliteStore(writer: StoreThread, reader: StoreThread, close: () => Promise<void>): ItemStore {
  return {
    // the next batch is packed and sent while the last one commits; more would only wait
    capabilities: { arbitrates: true, parallelPuts: 2 },
    async put(units, nowMs) {
      const batch = packBatch(units, (unit) => policyText(unit.collection.policy))
      const packed = await writer.call('put', { batch, nowMs }, [batch.bytes.buffer])
      return packed.map(unpackOutcome)
    },
    async collection(name) {
      const policy = await writer.call('collection', { name })
      return policy === undefined ? undefined : { name, policy: parsePolicy(JSON.parse(policy)) }
    },
    define: (name, policy) => writer.call('define', { name, policy: policyText(policy) }),
    async get(collection, id) {
      const row = await reader.call('get', { collection, key: itemKey(id) })
      return row === undefined ? undefined : storedItem(row)
    },
    async list(collection, page: PageRequest) {
      const after = Number(page.after ?? 0)
      const rows = await reader.call('list', { collection, after, limit: page.limit })
      const items = rows.slice(0, page.limit)
      const last = items.at(-1)
      const shown = items.map(storedItem)
      return last === undefined || rows.length === items.length
        ? { items: shown }
        : { items: shown, next: String(last.place) }
    },
    delete: (collection, id) => writer.call('delete', { collection, key: itemKey(id) }),
    check: () => writer.call('check', {}),
    [Symbol.asyncDispose]: close,
  }
}

function storedItem(row: Row): StoredItem {
  return {
    id: itemIdOfKey(row.id),
    media: row.media ?? 'application/json',
    content: row.content,
    firstSeenMs: row.first_seen_ms,
  }
}
