/** The lock services whose histories can be recorded. */
import type { Scope } from '../../../../std/scope.ts'
import { startEtcd } from '../../../etcd/servers.ts'
import { apiServerProcess } from '../../../kube/api-server-process.ts'
import { startBareApiServer } from '../../../kube/bare-api-server.ts'
import { startMariadb } from '../../../mysql/server.ts'
import { startPostgres } from '../../../postgres/server.ts'
import { needed } from '../../../present.ts'
import { startZooKeeper } from '../../../zookeeper/servers.ts'
import { type Database, databaseFaults } from './database.ts'
import { type Ensemble, ensembleFaults, untilLed } from './members.ts'
import { startRedlockService } from './redlock.ts'
import { type RedisChoice, startSentinelService } from './sentinel.ts'
import type { LockService, StartedService } from './service.ts'

export interface ServiceChoice extends RedisChoice {
  readonly lock: LockName
  /** Time after which forgotten containers end, in seconds. */
  readonly lifeSeconds: number
}

export const LOCK_NAMES = ['redis+sentinel', 'redlock', 'etcd', 'zookeeper', 'kubernetes', 'postgres', 'mysql'] as const
export type LockName = (typeof LOCK_NAMES)[number]

/** Starts the service. It ends with the scope. Rejects with the reason if it cannot be started. */
export async function startService(choice: ServiceChoice, scope: Scope): Promise<StartedService> {
  switch (choice.lock) {
    case 'redis+sentinel':
      return startSentinelService(choice, choice.lifeSeconds, scope)
    case 'redlock':
      return startRedlockService(choice, choice.lifeSeconds, scope)
    case 'etcd': {
      const servers = await needed(scope, 'etcd', startEtcd({ lifeSeconds: choice.lifeSeconds }))
      return ensembleService({ version: 'etcd', url: servers.url, servers, hello: 'GET /health HTTP/1.0\r\n\r\n' })
    }
    case 'zookeeper': {
      const servers = await needed(scope, 'ZooKeeper', startZooKeeper({ lifeSeconds: choice.lifeSeconds }))
      return ensembleService({ version: 'zookeeper', url: `${servers.url}${SESSION}`, servers, hello: 'srvr' })
    }
    case 'kubernetes': {
      const server = await needed(scope, 'An API server', startBareApiServer())
      const url = `kubernetes:///default?kubeconfig=${server.kubeconfig}`
      const parts = { version: 'kubernetes', url, servers: apiServerProcess(server), hello: HTTP_REQUEST }
      return databaseService({ ...parts, ttlMs: ENSEMBLE_TTL_MS })
    }
    case 'postgres': {
      const servers = await needed(scope, 'Postgres', startPostgres())
      return databaseService({ version: 'postgres', url: await servers.database(), servers, hello: SSL_REQUEST })
    }
    case 'mysql': {
      const servers = await needed(scope, 'MariaDB', startMariadb())
      return databaseService({ version: 'mariadb', url: servers.url, servers, hello: new Uint8Array() })
    }
    default:
      return choice.lock satisfies never
  }
}

/** A server that expects TLS responds to it with an error. */
const HTTP_REQUEST = new TextEncoder().encode('GET / HTTP/1.0\r\n\r\n')
/** Postgres responds to this request for TLS with one byte. */
const SSL_REQUEST = Uint8Array.of(0, 0, 0, 8, 4, 210, 22, 47)
/** The shortest session whose leases are as long as those of the other ensemble. */
const SESSION = '?session=5s'
/** Longer than the shortest lease that an ensemble grants. */
const ENSEMBLE_TTL_MS = 3_000
const DATABASE_TTL_MS = 1_000

interface Parts<Servers, Hello> {
  readonly version: string
  readonly url: string
  readonly servers: Servers
  /** A request to which a running server responds. Empty if it speaks first. */
  readonly hello: Hello
  /** Lease that the workers request, in milliseconds. */
  readonly ttlMs?: number
}

function ensembleService({ version, url, servers, hello }: Parts<Ensemble, string>): StartedService {
  return unprobed(version, {
    lockUrl: url,
    fencesUrl: '',
    ttlMs: ENSEMBLE_TTL_MS,
    faults: ensembleFaults(servers, hello),
    healthy: (signal) => untilLed(servers, signal),
  })
}

function databaseService(parts: Parts<Database, Uint8Array>): StartedService {
  const { version, url, servers, hello, ttlMs = DATABASE_TTL_MS } = parts
  return unprobed(version, {
    lockUrl: url,
    fencesUrl: '',
    ttlMs,
    faults: databaseFaults(servers, hello),
    // every fault ends with a server that accepts connections
    healthy: async () => {},
  })
}

const unprobed = (version: string, service: LockService): StartedService => ({
  version,
  isProbed: false,
  open: async () => service,
})
