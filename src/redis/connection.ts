/**
 * The port of a connection to Redis, for every kind of deployment. `connect` connects to the servers and checks that they
 * suit their purpose. After that the connection reconnects by itself; calls fail at once while there is no connection.
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
  /** The servers, for messages, without credentials. */
  readonly description: string
  /** True if the keys of one call must share a hash tag. */
  readonly clustered: boolean
  /**
   * Connects; may be called once. Rejects with `REDIS_UNREACHABLE`, `REDIS_ACCESS_REFUSED`, `REDIS_TLS_FAILED`,
   * `REDIS_UNSUITABLE`, `CONFIG_INVALID` (an unreadable certificate file), or the signal's reason. Then nothing is left
   * running.
   */
  connect(signal: AbortSignal): Promise<void>
  /** Runs one script, sent at most once per redirection. Rejects with an IngotError; the script may have run nevertheless. */
  run<T>(call: ScriptCall<T>): Promise<T>
  /** Subscribes to a sharded channel. After it resolves, all messages are received until `gap` is called. */
  subscribe(channel: string): Promise<void>
  subscribed(channel: string): boolean
  /** Closes the connection that serves the key and finds its server again. Does nothing if there is no connection. */
  renew(key: string): void
  /** Returns true if both keys are on one server, as far as is known. */
  together(key: string, other: string): boolean
}

export interface ConnectionDeps {
  readonly log: Log
  readonly listeners: Listeners
  /** Purpose of the servers. Default: locks. */
  readonly purpose?: Purpose
}

/** Dependencies of `checkServer`. */
type CheckDeps = Pick<ConnectionDeps, 'log' | 'purpose'>

/** Runs `start`. If the signal aborts first, calls `cleanup` and rejects with its reason. */
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
 * Returns the error of a server that accepted a TLS connection and never replied. With TLS 1.3 the client finishes the
 * handshake before the server checks the client's certificate, so a refusal may appear only as a reset connection. A more
 * specific error takes precedence.
 */
function closedWithoutReply(target: string): IngotError {
  const why = 'the server closed the TLS connection without a reply; it may require a client certificate (cert, key)'
  return new IngotError('REDIS_TLS_FAILED', `cannot use the ${target}: ${why}`)
}

/** Connects one client. Rejects with the most specific of all errors, see `connectionError`; then nothing is left running. */
export async function connectClient(client: Redis, target: string, signal: AbortSignal): Promise<void> {
  const errors: unknown[] = []
  const record = (error: unknown): void => void errors.push(error)
  let secured = false
  const recordConnect = (): void => void (secured = client.options.tls !== undefined)
  client.on('error', record)
  client.on('sentinelError', record)
  client.on('connect', recordConnect)
  try {
    await bySignal(
      () => client.connect(),
      signal,
      () => client.disconnect(),
    )
  } catch (error) {
    client.disconnect()
    if (signal.aborted) throw signal.reason
    throw connectionError(target, secured ? [closedWithoutReply(target), ...errors, error] : [...errors, error])
  } finally {
    client.off('connect', recordConnect)
    client.off('error', record)
    client.off('sentinelError', record)
  }
}

/** Rejects with `REDIS_UNSUITABLE` if the server does not suit its purpose. Logs settings that are unwise. */
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
