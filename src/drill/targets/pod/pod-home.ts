/** A drill in the runner's pod: k6 and the canary run in containers beside the runner, and the store is read directly. */
import { createPostgres } from '../../../postgres/pool.ts'
import type { FinalStore } from '../../checkers/final-store.ts'
import { ROOT } from '../../checkout.ts'
import { readAuditLog } from '../../final-store/audit-log.ts'
import { readPostgresStore } from '../../final-store/postgres.ts'
import { parseHistory } from '../../history.ts'
import { readScripts } from '../../sources/k6/scripts.ts'
import { dropCollection } from '../drop-collection.ts'
import type { Canary, DrillHome } from '../home.ts'
import { ofCollection } from '../kubernetes/store-read.ts'
import type { ReleaseFacts } from '../release.ts'
import { CANARY_FILES } from './k6-sidecar.ts'
import { createVolume, type Volume } from './volume.ts'
import { startVolumeLoad } from './volume-load.ts'

export interface PodHomeOptions {
  /** Folder that the containers share. */
  readonly folder: string
  readonly token: string | undefined
  /** URL of the store: `postgres://…`, or the address of the external API. */
  readonly storeUrl: string | undefined
}

const READ_MS = 120_000
const CANARY_MS = 60_000

export function createPodHome(options: PodHomeOptions): (release: ReleaseFacts) => DrillHome {
  const volume = createVolume(options.folder)
  const { token, storeUrl } = options
  return ({ setup, name }) => ({
    startLoad: (load, signal) =>
      startVolumeLoad({ ...load, volume, baseUrl: `http://${name}`, token, scripts: readScripts(ROOT) }, signal),
    startCanary: async () => (setup.mode === 'external' ? undefined : startCanary(volume)),
    readStore: async (collection, signal) => ofCollection(await readAll(storeUrl, signal), collection),
    dropCollection: (collection, signal) => dropCollection(`http://${name}`, { collection, token }, signal),
  })
}

async function startCanary(volume: Volume): Promise<Canary> {
  await volume.write(CANARY_FILES.go, '')
  return {
    async stop(signal) {
      await volume.write(CANARY_FILES.stop, '')
      await volume.awaited(CANARY_FILES.exit, CANARY_MS, signal)
      return parseHistory((await volume.read(CANARY_FILES.output)) ?? '', 'canary').events
    },
    [Symbol.asyncDispose]: () => volume.write(CANARY_FILES.stop, ''),
  }
}

async function readAll(url: string | undefined, signal: AbortSignal): Promise<FinalStore> {
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(READ_MS)])
  if (url === undefined) throw new Error('the address of the store is not known: the runner has no INGOT_STORE_URL')
  if (/^https?:/.test(url)) return readAuditLog(`${url.replace(/\/+$/, '')}/audit`, 'on', bounded)
  await using postgres = createPostgres({ url, errorCode: 'INPUT_UNREADABLE', connections: 1, timeoutMs: READ_MS })
  return await readPostgresStore(async (sql) => (await postgres.query(sql, [], bounded)).rows)
}
