/**
 * The embedded store: one SQLite file in a folder that one process owns. Outcomes of `put` survive the death of the
 * process and a power failure, because `put` resolves after COMMIT has fsynced the log.
 */
import { orMutant } from '#failpoint'
import { parsePolicy, policyText } from '../../../identity/policy.ts'
import { createScope } from '../../../std/scope.ts'
import { collectionPage } from '../../collection-page.ts'
import { itemKey } from '../../item-key.ts'
import { type ItemStore, type PageRequest, storeCapabilities } from '../../store.ts'
import { lockFolder } from './folder-lock.ts'
import { packBatch, unpackOutcome } from './protocol.ts'
import { type StoreThread, startStoreThread } from './thread.ts'

/**
 * Opens the store in `folder`, or creates it. Rejects with IngotError STORE_LOCKED, STORE_CORRUPT or STORE_UNAVAILABLE.
 */
export async function openSqliteStore(folder: string): Promise<ItemStore> {
  const scope = createScope()
  try {
    const lock = lockFolder(folder)
    scope.defer(() => lock.release())
    const writer = await startStoreThread({ folder, role: 'writer' })
    scope.defer(() => writer.close())
    // the second thread starts with the first read
    let reader: Promise<StoreThread> | undefined
    const read = (): Promise<StoreThread> => (reader ??= startStoreThread({ folder, role: 'reader' }))
    scope.defer(async () => (await reader)?.close())
    return orMutant(
      'sqlite-store',
      sqliteStore(writer, read, () => scope.close()),
    )
  } catch (failure) {
    await scope.close()
    throw failure
  }
}

function sqliteStore(writer: StoreThread, reader: () => Promise<StoreThread>, close: () => Promise<void>): ItemStore {
  return {
    // the next batch is packed and sent while the last one commits; a third would only wait
    capabilities: storeCapabilities({
      enforcesUniqueness: true,
      singleWriter: true,
      keepsReceipts: true,
      parallelPuts: 2,
    }),
    async put(units, nowMs) {
      const batch = packBatch(units, (unit) => policyText(unit.collection.policy))
      const packed = await writer.call('put', { batch, nowMs }, [batch.bytes.buffer])
      return packed.map(unpackOutcome)
    },
    async collection(name) {
      const policy = await writer.call('collection', { name })
      return policy === undefined ? undefined : { name, policy: parsePolicy(JSON.parse(policy)) }
    },
    async collections({ after = '', limit }) {
      const rows = await (await reader()).call('collections', { after, limit: limit + 1 })
      const found = rows.map(({ policy, ...rest }) => ({ ...rest, policy: parsePolicy(JSON.parse(policy)) }))
      return collectionPage(found, limit)
    },
    define: (name, policy) => writer.call('define', { name, policy: policyText(policy) }),
    get: async (collection, id) => (await reader()).call('get', { collection, key: itemKey(id) }),
    async list(collection, page: PageRequest) {
      const after = Number(page.after ?? 0)
      const found = await (await reader()).call('list', { collection, after, limit: page.limit })
      const last = found.items.at(-1)
      const items = found.items.map((one) => one.item)
      return last === undefined || !found.more ? { items } : { items, next: String(last.place) }
    },
    delete: (collection, id) => writer.call('delete', { collection, key: itemKey(id) }),
    deleteCollection: (collection, nowMs) => writer.call('deleteCollection', { collection, nowMs }),
    deletion: (collection, id) => writer.call('deletion', { collection, id }),
    purge: (nowMs, after) => writer.call('purge', { nowMs, after }),
    version: (collection) => writer.call('version', { collection }),
    beginEpoch: () => writer.call('beginEpoch', {}),
    check: () => writer.call('check', {}),
    [Symbol.asyncDispose]: close,
  }
}
