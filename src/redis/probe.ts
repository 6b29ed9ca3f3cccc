/** Polls the role of one server, or the view of one Sentinel, over one kept connection. */
import type { Redis } from 'ioredis'
import { reasonOf } from '../errors/error.ts'
import { type ClientSettings, createSingleClient, type Single } from './client.ts'
import { parseRole, ROLE_COMMANDS, type ServerRole } from './topology/roles.ts'

/** A result of one poll. `silent`: the server did not respond in time, or refused the connection. */
export type Polled<T> =
  | { readonly kind: 'seen'; readonly value: T }
  | { readonly kind: 'silent'; readonly reason: string }

export interface Probe<T> extends Disposable {
  /** Never rejects. Takes at most the command timeout; the first one at most the connect timeout in addition. */
  poll(): Promise<Polled<T>>
}

/** What one Sentinel reports about the primary of one name. */
export interface SentinelView {
  /** Host of the primary; empty if the Sentinel knows none. */
  readonly host: string
  /** Port of the primary; 0 if the Sentinel knows none. */
  readonly port: number
  /** Sentinels that it knows, itself included. */
  readonly knows: number
  /** Quorum and majority are reachable (`SENTINEL CKQUORUM`). */
  readonly hasQuorum: boolean
}

/** Rejects with CONFIG_INVALID if a certificate file is unreadable. `pod` names the server in the result. */
export function createServerProbe(pod: string, target: Single, settings: ClientSettings): Promise<Probe<ServerRole>> {
  return createProbe(target, settings, async (client) => {
    const replies = await Promise.all(ROLE_COMMANDS.map((command) => textOf(client, command.split(' '))))
    const role = parseRole(pod, replies.join('\n'))
    if (role === undefined) throw new Error('the server reports no role: it loads its data')
    return role
  })
}

/** Rejects with CONFIG_INVALID if a certificate file is unreadable. `masterName` is the primary's name in the Sentinels. */
export function createSentinelProbe(
  masterName: string,
  target: Single,
  settings: ClientSettings,
): Promise<Probe<SentinelView>> {
  return createProbe(target, settings, async (client) => {
    const sentinel = (...args: readonly string[]): Promise<unknown> => client.call('SENTINEL', ...args, masterName)
    const [address, fields, quorum] = await Promise.all([
      sentinel('GET-MASTER-ADDR-BY-NAME'),
      sentinel('MASTER').catch(refusedAs([])),
      sentinel('CKQUORUM').catch(refusedAs('')),
    ])
    return {
      host: Array.isArray(address) ? String(address[0]) : '',
      port: Array.isArray(address) ? Number(address[1]) : 0,
      knows: 1 + Number(fieldOf(fields, 'num-other-sentinels') ?? 0),
      hasQuorum: String(quorum).startsWith('OK'),
    }
  })
}

async function createProbe<T>(
  target: Single,
  settings: ClientSettings,
  read: (client: Redis) => Promise<T>,
): Promise<Probe<T>> {
  // a server that is away at first is connected as soon as it is back
  const client = await createSingleClient(target, settings, { started: true })
  let failure = 'there is no connection yet'
  client.on('error', (error: Error) => void (failure = error.message))
  // the first poll waits for the first attempt: otherwise a new probe would report every server as silent
  const attempt = client.connect().catch((cause: unknown) => void (failure = reasonOf(cause)))
  return {
    async poll() {
      await attempt
      if (client.status !== 'ready') return { kind: 'silent', reason: failure }
      try {
        return { kind: 'seen', value: await read(client) }
      } catch (cause) {
        return { kind: 'silent', reason: reasonOf(cause) }
      }
    },
    [Symbol.dispose]: () => client.disconnect(),
  }
}

/** Returns the reply as text. A server that is not a cluster refuses CLUSTER, which is a reply without a role. */
async function textOf(client: Redis, [name = '', ...args]: readonly string[]): Promise<string> {
  const reply: unknown = await client.call(name, ...args).catch(refusedAs(''))
  return String(reply)
}

/** Returns a handler that turns an error reply into a value, and rethrows every other error. */
function refusedAs<T>(value: T): (cause: unknown) => T {
  return (cause) => {
    if (cause instanceof Error && cause.name === 'ReplyError') return value
    throw cause
  }
}

/** Returns the value of a field in a reply that is a map or a flat list of names and values. */
function fieldOf(reply: unknown, name: string): unknown {
  if (!Array.isArray(reply)) return undefined
  const index = reply.indexOf(name)
  return index === -1 ? undefined : reply[index + 1]
}
