/**
 * One ioredis client as a line to one server: runs scripts, keeps sharded subscriptions, and says when messages may
 * have been missed. By RESP3 one socket carries both, so a subscription is exactly as alive as the commands are.
 */
import type { Redis } from 'ioredis'
import { isReply, Unsent } from './failure.ts'
import type { Script } from './script.ts'
import { CommandTimeouts, ScriptCommand } from './script-command.ts'

/** One script on one server. The keys of a call must share a hash tag where the deployment is a cluster. */
export interface ScriptCall<T> {
  readonly script: Script
  /** The first of its keys: in a cluster it decides where the call goes. */
  readonly key: string
  /** The number of keys, the keys and the arguments, as the protocol's strings: see `bulk`. */
  readonly body: string
  /** How many strings that is. */
  readonly parts: number
  /** What the reply means; what it throws is the caller's. */
  readonly read: (reply: unknown) => T
  /** Asked before every write to a socket: false when the caller has given up, and nothing may be sent for it. */
  readonly wanted: () => boolean
}

export interface Listeners {
  message(channel: string, payload: string): void
  /** Subscriptions are gone, or were: whatever was said in between was not heard. */
  gap(): void
  /** A connection that stood is lost: the next one may lead to another server. */
  lost?(): void
  /** A Sentinel announced another primary. */
  announced?(): void
}

export interface Link {
  readonly client: Redis
  run<T>(call: ScriptCall<T>, asking?: boolean): Promise<T>
  /** Resolves once the server will send what is published from now on. At once for a channel that stands. */
  subscribe(channel: string): Promise<void>
  subscribed(channel: string): boolean
}

function rethrow(error: unknown): never {
  throw error
}

const GIVEN_UP = 'the caller gave up before the command was sent'

/** `refuse` turns what a call fails with into what its caller is told; it throws. Default: unchanged. */
export function createLink(client: Redis, listeners: Listeners, refuse = rethrow): Link {
  const channels = new Set<string>()
  const timeouts = new CommandTimeouts()

  // made while the answer to the one before it is on its way, when there is time
  let spare = new ScriptCommand(timeouts)

  function send({ script, parts, body, wanted }: ScriptCall<unknown>, whole: boolean): Promise<unknown> {
    if (!wanted()) return Promise.reject(new Unsent(GIVEN_UP))
    const command = spare
    command.wire = `*${2 + parts}\r\n${whole ? script.whole : script.known}${body}`
    try {
      void client.sendCommand(command)
    } finally {
      spare = new ScriptCommand(timeouts)
    }
    return command.promise
  }

  /** ASKING covers the next command of the connection alone, so both are written in one go. */
  function sendAsking(call: ScriptCall<unknown>, whole: boolean): Promise<unknown> {
    // its failure is the failure of the command behind it
    void client.asking().catch(() => undefined)
    return send(call, whole)
  }

  function drop(): void {
    if (channels.size === 0) return
    channels.clear()
    listeners.gap()
  }
  let stands = client.status === 'ready'
  client.on('ready', () => void (stands = true))
  client.on('close', () => {
    drop()
    // every failed attempt to connect closes something too
    if (stands) listeners.lost?.()
    stands = false
  })
  // a slot left this server, and the subscriptions with it
  client.on('moved', drop)
  client.on('smessage', (channel: string, payload: string) => listeners.message(channel, payload))

  return {
    client,
    run(call, asking = false) {
      const once = asking ? sendAsking : send
      return once(call, false).then(call.read, (error: unknown) => {
        // the script did not run: the server is new, restarted, or flushed its scripts
        return isReply(error, 'NOSCRIPT') ? once(call, true).then(call.read, refuse) : refuse(error)
      })
    },
    async subscribe(channel) {
      if (channels.has(channel)) return
      await client.ssubscribe(channel)
      channels.add(channel)
    },
    subscribed: (channel) => channels.has(channel),
  }
}
