/** Polls the role of one server, or the view of one Sentinel, over one kept connection. */
import type { Redis } from 'ioredis'
import { IngotError } from '../errors/error.ts'
import { type ClientSettings, createSingleClient, nodeName, type Single } from './client.ts'
import { commandError, connectionError } from './failure.ts'
import { type Address, parseRole, ROLE_COMMANDS, type ServerRole } from './topology/roles.ts'

/** A result of one poll. `silent`: the server did not respond in time, or refused the connection. */
export type Polled<T> = { readonly kind: 'seen'; readonly value: T } | Silence

export interface Silence {
  readonly kind: 'silent'
  /** Why: `REDIS_UNREACHABLE`, `REDIS_ACCESS_REFUSED`, `REDIS_TLS_FAILED`, or what the server reported. */
  readonly error: IngotError
  /** False if a connected server did not respond in time, or had no role to report. */
  readonly isClosed: boolean
}

export interface ProbeSettings extends ClientSettings {
  /** Called when an established connection ends, so that the next poll need not wait. Default: nothing. */
  readonly onClosed?: () => void
}

/** What one server reports. */
export interface ServerView extends ServerRole {
  readonly keys: number
  /** Greatest epoch that a node of a cluster knows: each failover takes a new one. Absent outside a cluster. */
  readonly epoch?: number
}

/** A Sentinel or a replica, as one Sentinel knows it. */
export interface SentinelEntry extends Address {
  readonly kind: 'sentinel' | 'replica'
  /** Such as `slave` and `s_down`. */
  readonly flags: readonly string[]
}

/** Commands over the connection of a probe. */
export interface Commands {
  /** Rejects with the error of the server, or if there is no connection. The command is sent at most once. */
  call(command: string, ...args: readonly (string | number)[]): Promise<unknown>
}

export interface Probe<T> extends Disposable, Commands {
  /** True while the connection can be used. */
  readonly isOpen: boolean
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
  /** Epoch of the last failover. Absent if the Sentinel knows no primary. */
  readonly epoch?: number
  /** Flags of the primary, such as `master` and `s_down`. */
  readonly flags: readonly string[]
  /** The other Sentinels and the replicas that it knows. */
  readonly entries: readonly SentinelEntry[]
}

/** What is polled at a server. */
export interface ServerTarget extends Single {
  /** Name of the server in the result. */
  readonly pod: string
  readonly isCluster: boolean
}

/** Rejects with CONFIG_INVALID if a certificate file is unreadable. */
export function createServerProbe(target: ServerTarget, settings: ProbeSettings): Promise<Probe<ServerView>> {
  const { pod, isCluster } = target
  const commands = isCluster ? ROLE_COMMANDS : ROLE_COMMANDS.slice(0, 1)
  const lines = [['dbsize'], ...commands.map((command) => command.toLowerCase().split(' '))]
  return createProbe(target, settings, async (client) => {
    const [keys, ...replies] = await repliesTo(client, lines)
    // a server that is not a cluster refuses CLUSTER, which is a reply without a role
    const text = replies.filter((reply) => typeof reply === 'string').join('\n')
    const role = parseRole(pod, text)
    if (role === undefined) throw new IngotError('REDIS_UNREACHABLE', `${pod} reports no role: it loads its data`)
    return { ...role, keys: Number(keys), ...epochIn(/^cluster_current_epoch:(\d+)/m.exec(text)?.[1]) }
  })
}

/** Rejects with CONFIG_INVALID if a certificate file is unreadable. `masterName` is the primary's name in the Sentinels. */
export function createSentinelProbe(
  masterName: string,
  target: Single,
  settings: ProbeSettings,
): Promise<Probe<SentinelView>> {
  const names = ['GET-MASTER-ADDR-BY-NAME', 'MASTER', 'CKQUORUM', 'SENTINELS', 'REPLICAS']
  const lines = names.map((name) => ['sentinel', name, masterName])
  return createProbe(target, settings, async (client) => {
    const [address, fields, quorum, sentinels, replicas] = await repliesTo(client, lines)
    return {
      flags: flagsIn(fields),
      ...epochIn(sentinelField(fields, 'config-epoch')),
      entries: [...entriesOf('sentinel', sentinels), ...entriesOf('replica', replicas)],
      host: Array.isArray(address) ? String(address[0]) : '',
      port: Array.isArray(address) ? Number(address[1]) : 0,
      knows: 1 + Number(sentinelField(fields, 'num-other-sentinels') ?? 0),
      hasQuorum: typeof quorum === 'string' && quorum.startsWith('OK'),
    }
  })
}

function epochIn(text: string | undefined): { readonly epoch?: number } {
  return text === undefined ? {} : { epoch: Number(text) }
}

/**
 * Sends the commands in one piece. Resolves with the replies; undefined for a command that the server refused for what it
 * asks, such as the name of an unknown primary. Rejects with a missing permission, and with a broken connection.
 */
async function repliesTo(client: Redis, commands: string[][]): Promise<readonly unknown[]> {
  const replies = (await client.pipeline(commands).exec()) ?? []
  return replies.map(([error, reply]) => {
    if (error === null) return reply
    const isRefusal = error.name === 'ReplyError' && commandError('', error).code !== 'REDIS_ACCESS_REFUSED'
    if (isRefusal) return undefined
    throw error
  })
}

/** Errors of earlier attempts that are remembered. */
const MAX_ERRORS = 5

async function createProbe<T>(
  target: Single,
  settings: ProbeSettings,
  read: (client: Redis) => Promise<T>,
): Promise<Probe<T>> {
  // a server that is away at first is connected as soon as it is back
  const client = await createSingleClient(target, settings, { started: true })
  const where = `Redis at ${nodeName(target.endpoint)}`
  let errors: unknown[] = []
  let isInUse = false
  client.on('error', (error: Error) => void errors.push(error))
  client.on('ready', () => {
    errors = []
    isInUse = true
  })
  client.on('close', () => {
    errors = errors.slice(-MAX_ERRORS)
    if (isInUse) settings.onClosed?.()
    isInUse = false
  })
  // the first poll waits for the first attempt: otherwise a new probe would report every server as silent
  const attempt = client.connect().catch((cause: unknown) => void errors.push(cause))
  const silence = (error: IngotError): Silence => ({ kind: 'silent', error, isClosed: client.status !== 'ready' })
  return {
    get isOpen() {
      return client.status === 'ready'
    },
    async poll() {
      await attempt
      if (client.status !== 'ready') return silence(connectionError(where, errors))
      try {
        return { kind: 'seen', value: await read(client) }
      } catch (cause) {
        return silence(commandError(where, cause))
      }
    },
    call: (command, ...args) => client.call(command, ...args),
    [Symbol.dispose]() {
      isInUse = false
      client.disconnect()
    },
  }
}

/** Returns the value of a field in a reply of Sentinel, a list of names and values in turn; undefined without it. */
export function sentinelField(reply: unknown, name: string): string | undefined {
  if (!Array.isArray(reply)) return undefined
  const index = reply.indexOf(name)
  return index === -1 ? undefined : String(reply[index + 1])
}

function flagsIn(fields: unknown): readonly string[] {
  return (sentinelField(fields, 'flags') ?? '').split(',')
}

function entriesOf(kind: SentinelEntry['kind'], reply: unknown): readonly SentinelEntry[] {
  if (!Array.isArray(reply)) return []
  return reply.map((fields: unknown) => ({
    kind,
    host: sentinelField(fields, 'ip') ?? '',
    port: Number(sentinelField(fields, 'port') ?? 0),
    flags: flagsIn(fields),
  }))
}
