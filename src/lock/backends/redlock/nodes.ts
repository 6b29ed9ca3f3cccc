/**
 * Connections to the independent servers. A start needs a majority of them, and fails if any of them must not serve.
 * The others join when they come back.
 */

import { IngotError, toIngotError } from '../../../errors/error.ts'
import {
  type ClientSettings,
  createSingleClient,
  DEFAULT_SETTINGS,
  nodeName,
  type Phase,
} from '../../../redis/client.ts'
import { checkServer, connectClient } from '../../../redis/connection.ts'
import type { Endpoint, Independent } from '../../../redis/redis-url.ts'
import { type Node, type NodeDeps, watchNode } from './node.ts'

export interface Nodes extends AsyncDisposable {
  readonly members: readonly Node[]
}

/**
 * Time limit of a command in milliseconds. The package waits for every node, so a frozen node delays each vote by this.
 */
const COMMAND_TIMEOUT_MS = 200

interface Deps extends NodeDeps {
  readonly topology: Independent
  readonly settings: ClientSettings
}

async function createNode(deps: Deps, endpoint: Endpoint, phase: Phase): Promise<Node> {
  const { topology, settings, log } = deps
  const { credentials, tls } = topology
  const target = { endpoint, database: 0, credentials, ...(tls === undefined ? {} : { tls }) }
  const client = await createSingleClient(target, settings, phase)
  // ioredis throws errors without a listener; the votes contain the relevant ones
  client.on('error', (error: Error) => log.debug({ err: error, node: endpoint }, 'redlock node error'))
  return watchNode(client, nodeName(endpoint), deps)
}

/** Connects to a node that must respond and be suitable. */
async function join(deps: Deps, endpoint: Endpoint, signal: AbortSignal): Promise<Node> {
  const phase = { started: false }
  const node = await createNode(deps, endpoint, phase)
  try {
    await connectClient(node.client, `redlock node ${node.name}`, signal)
    await checkServer(node.client, deps.topology, deps)
    await node.examine()
  } catch (error) {
    node[Symbol.dispose]()
    throw error
  }
  phase.started = true
  return node
}

/** Creates a node that does not respond yet. */
async function createAbsentNode(deps: Deps, endpoint: Endpoint): Promise<Node> {
  deps.log.warn({ node: endpoint }, 'redlock node does not respond')
  const node = await createNode(deps, endpoint, { started: true })
  // its failure is known; the client retries by itself
  node.client.connect().catch(() => undefined)
  return node
}

/** Returns an error if two addresses are one server, which would have two votes. */
function sameServer(nodes: readonly Node[]): IngotError | undefined {
  for (const [i, node] of nodes.entries()) {
    const twin = nodes.slice(i + 1).find((other) => other.runId !== undefined && other.runId === node.runId)
    if (twin === undefined) continue
    return new IngotError('REDIS_UNSUITABLE', `${node.name} and ${twin.name} are one server, which would vote twice`)
  }
  return undefined
}

const absent = (error: unknown): boolean => error instanceof IngotError && error.code === 'REDIS_UNREACHABLE'

/**
 * Connects to the nodes. Rejects with the first refusal, or with `REDIS_UNREACHABLE` if no majority responds. Leaves
 * nothing behind then.
 */
export async function connectNodes(topology: Independent, given: NodeDeps, signal: AbortSignal): Promise<Nodes> {
  const commandTimeoutMs = topology.timeoutMs ?? COMMAND_TIMEOUT_MS
  const deps: Deps = { ...given, topology, settings: { ...DEFAULT_SETTINGS, commandTimeoutMs } }
  const joined = await Promise.allSettled(topology.nodes.map((endpoint) => join(deps, endpoint, signal)))
  const here = joined.flatMap((j) => (j.status === 'fulfilled' ? [j.value] : []))
  const failures = joined.flatMap((j): unknown[] => (j.status === 'rejected' ? [j.reason] : []))
  const few = here.length > failures.length ? undefined : failures[0]
  const refusal = failures.find((f) => !absent(f)) ?? few ?? sameServer(here)
  if (refusal !== undefined) {
    for (const node of here) node[Symbol.dispose]()
    signal.throwIfAborted()
    throw toIngotError(refusal)
  }
  // in the order of the URL, so that all processes agree on a first node for a key
  const members: Node[] = []
  for (const [i, endpoint] of topology.nodes.entries()) {
    const node = joined[i]
    members.push(node?.status === 'fulfilled' ? node.value : await createAbsentNode(deps, endpoint))
  }
  return {
    members,
    async [Symbol.asyncDispose]() {
      for (const node of members) node[Symbol.dispose]()
    },
  }
}
