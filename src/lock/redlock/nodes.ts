/**
 * Connections to the independent servers. A start needs a majority of them, and none that says it must not serve; the
 * others join when they come back.
 */
import type { Redis } from 'ioredis'
import { type ClientSettings, createSingleClient, DEFAULT_SETTINGS } from '../../redis/client.ts'
import { checkServer, connectClient } from '../../redis/connection.ts'
import type { Endpoint, Independent } from '../../redis/topology.ts'
import { Fault, toFault } from '../../std/fault.ts'
import type { Log } from '../../telemetry/log.ts'

export interface Nodes extends AsyncDisposable {
  readonly clients: readonly Redis[]
}

/** The package waits for every node, so one that is silent costs each vote this much, in milliseconds. */
const COMMAND_TIMEOUT_MS = 200

interface Deps {
  readonly topology: Independent
  readonly settings: ClientSettings
  readonly log: Log
}

async function createClient({ topology, settings, log }: Deps, endpoint: Endpoint, started: boolean) {
  const { credentials, tls } = topology
  const target = { endpoint, database: 0, credentials, ...(tls === undefined ? {} : { tls }) }
  const phase = { started }
  const client = await createSingleClient(target, settings, phase)
  // ioredis throws errors that nobody listens to; what matters of them is in the votes
  client.on('error', (error: Error) => log.debug({ err: error, node: endpoint }, 'redlock node error'))
  return { client, phase }
}

/** A node that answers and may serve. */
async function join(deps: Deps, endpoint: Endpoint, signal: AbortSignal): Promise<Redis> {
  const { client, phase } = await createClient(deps, endpoint, false)
  await connectClient(client, `redlock node ${endpoint.host}:${endpoint.port}`, signal)
  try {
    await checkServer(client, deps.topology, deps)
  } catch (error) {
    client.disconnect()
    throw error
  }
  phase.started = true
  return client
}

/** A node that does not answer yet. */
async function awaitLater(deps: Deps, endpoint: Endpoint): Promise<Redis> {
  deps.log.warn({ node: endpoint }, 'redlock node does not answer')
  const { client } = await createClient(deps, endpoint, true)
  // its failure is known; the client goes on trying by itself
  client.connect().catch(() => undefined)
  return client
}

const absent = (error: unknown): boolean => error instanceof Fault && error.code === 'REDIS_UNREACHABLE'

/** Rejects with the first refusal, or with `REDIS_UNREACHABLE` when no majority answers. Leaves nothing behind then. */
export async function connectNodes(topology: Independent, log: Log, signal: AbortSignal): Promise<Nodes> {
  const commandTimeoutMs = topology.timeoutMs ?? COMMAND_TIMEOUT_MS
  const deps: Deps = { topology, settings: { ...DEFAULT_SETTINGS, commandTimeoutMs }, log }
  const joined = await Promise.allSettled(topology.nodes.map((endpoint) => join(deps, endpoint, signal)))
  const here = joined.flatMap((j) => (j.status === 'fulfilled' ? [j.value] : []))
  const failures = joined.flatMap((j): unknown[] => (j.status === 'rejected' ? [j.reason] : []))
  const refusal = failures.find((f) => !absent(f)) ?? (here.length > failures.length ? undefined : failures[0])
  if (refusal !== undefined) {
    for (const client of here) client.disconnect()
    signal.throwIfAborted()
    throw toFault(refusal)
  }
  // in the order of the URL, which is how all processes agree on a first node for a key
  const clients: Redis[] = []
  for (const [i, endpoint] of topology.nodes.entries()) {
    const node = joined[i]
    clients.push(node?.status === 'fulfilled' ? node.value : await awaitLater(deps, endpoint))
  }
  return {
    clients,
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.disconnect()
    },
  }
}
