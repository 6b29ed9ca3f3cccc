/**
 * A connection to Redis, whatever the shape of the deployment: `connect` reaches the servers, proves that they
 * suit their purpose, and either succeeds or rejects with one IngotError. After that it reconnects by itself; what is asked of
 * it meanwhile fails at once.
 */
import type { Redis } from 'ioredis'
import { IngotError } from '../errors/error.ts'
import { abortable } from '../std/abort.ts'
import type { Log } from '../telemetry/log.ts'
import { commandError, connectionError } from './failure.ts'
import type { Listeners, ScriptCall } from './link.ts'
import { describeTopology, type RedisTopology } from './redis-url.ts'
import { judgeServer, type Purpose } from './suitability.ts'

export interface RedisConnection extends AsyncDisposable {
  /** Whom it talks to, without credentials. */
  readonly description: string
  /** Whether the keys of one call must share a hash tag. */
  readonly clustered: boolean
  /**
   * Once. Rejects with `REDIS_UNREACHABLE`, `REDIS_ACCESS_REFUSED`, `REDIS_TLS_FAILED`, `REDIS_UNSUITABLE`,
   * `CONFIG_INVALID` (an unreadable certificate file), or the signal's reason; nothing is left running then.
   */
  connect(signal: AbortSignal): Promise<void>
  /** One script, sent at most once per redirection. Rejects with a IngotError; the script may have run all the same. */
  run<T>(call: ScriptCall<T>): Promise<T>
  /** From when it resolves, what is published to the sharded channel is heard, until `gap` says otherwise. */
  subscribe(channel: string): Promise<void>
  subscribed(channel: string): boolean
  /** Closes the connection that serves the key, and finds out anew which server does. Does nothing when none stands. */
  renew(key: string): void
  /** Whether both keys are on one server, as far as is known. */
  together(key: string, other: string): boolean
}

export interface ConnectionDeps {
  readonly log: Log
  readonly listeners: Listeners
  /** What its servers must be fit for. Default: locks. */
  readonly purpose?: Purpose
}

/** What a check needs to know of a connection. */
type CheckDeps = Pick<ConnectionDeps, 'log' | 'purpose'>

/** Rejects with the signal's reason when that aborts first; `cleanup` then stops what was under way. */
export async function bySignal(start: () => Promise<void>, signal: AbortSignal, cleanup: () => void): Promise<void> {
  signal.throwIfAborted()
  try {
    await abortable(start(), signal)
  } finally {
    if (signal.aborted) cleanup()
  }
  signal.throwIfAborted()
}

/**
 * A server that was reached by TLS and never answered. With TLS 1.3 the client's part of the handshake is over before the
 * server has looked at its certificate: a refusal may reach it as nothing but a reset connection. Any error that says
 * more is told instead.
 */
function dismissed(whom: string): IngotError {
  const why = 'the server closed the TLS connection without an answer; it may want a client certificate (cert, key)'
  return new IngotError('REDIS_TLS_FAILED', `cannot use the ${whom}: ${why}`)
}

/** Connects one client and keeps every error that tells why it could not. Leaves nothing running when it fails. */
export async function connectClient(client: Redis, whom: string, signal: AbortSignal): Promise<void> {
  const errors: unknown[] = []
  const note = (error: unknown): void => void errors.push(error)
  let secured = false
  const noteConnect = (): void => void (secured = client.options.tls !== undefined)
  client.on('error', note)
  client.on('sentinelError', note)
  client.on('connect', noteConnect)
  try {
    await bySignal(
      () => client.connect(),
      signal,
      () => client.disconnect(),
    )
  } catch (error) {
    client.disconnect()
    if (signal.aborted) throw signal.reason
    throw connectionError(whom, secured ? [dismissed(whom), ...errors, error] : [...errors, error])
  } finally {
    client.off('connect', noteConnect)
    client.off('error', note)
    client.off('sentinelError', note)
  }
}

/** Refuses a server that does not suit its purpose; logs what is only unwise. */
export async function checkServer(client: Redis, topology: RedisTopology, deps: CheckDeps): Promise<void> {
  const { log, purpose = 'locks' } = deps
  const where = `${client.options.host ?? ''}:${client.options.port ?? ''}`
  const info = await client
    .info('server', 'replication', 'memory', 'cluster', 'persistence')
    .catch((error: unknown) => {
      throw commandError(where, error)
    })
  const { refusals, warnings } = judgeServer(info, topology.kind, purpose)
  if (refusals.length > 0) {
    throw new IngotError(
      'REDIS_UNSUITABLE',
      `the ${describeTopology(topology)} must not keep ${purpose === 'locks' ? 'locks' : 'a cache'}: ${refusals.join('; ')}`,
    )
  }
  for (const warning of warnings) log.warn({ server: where, warning }, 'redis setting is unwise')
}
