/**
 * One ioredis client as a line to one server: runs scripts, keeps sharded subscriptions, and says when messages may
 * have been missed. By RESP3 one socket carries both, so a subscription is exactly as alive as the commands are.
 */
import type { Redis } from 'ioredis'
import { Fault } from '../std/fault.ts'
import { isReply } from './failure.ts'
import type { Script } from './script.ts'

/** One script on one server. The keys of a call must share a hash tag where the deployment is a cluster. */
export interface ScriptCall {
  readonly script: Script
  readonly keys: readonly string[]
  readonly args: readonly (string | number)[]
  /** Asked before every write to a socket: false when the caller has given up, and nothing may be sent for it. */
  readonly wanted: () => boolean
}

export interface Listeners {
  message(channel: string, payload: string): void
  /** Subscriptions are gone, or were: whatever was said in between was not heard. */
  gap(): void
}

export interface Link {
  readonly client: Redis
  run(call: ScriptCall, asking?: boolean): Promise<unknown>
  /** Resolves once the server will send what is published from now on. At once for a channel that stands. */
  subscribe(channel: string): Promise<void>
  subscribed(channel: string): boolean
}

const GIVEN_UP = 'the caller gave up before the command was sent'

function send(client: Redis, { script, keys, args, wanted }: ScriptCall, whole: boolean): Promise<unknown> {
  if (!wanted()) throw new Fault('REDIS_UNREACHABLE', GIVEN_UP)
  if (whole) return client.eval(script.text, keys.length, ...keys, ...args)
  return client.evalsha(script.sha, keys.length, ...keys, ...args)
}

/** ASKING covers the next command of the connection alone, so both are written in one go. */
function sendAsking(client: Redis, call: ScriptCall, whole: boolean): Promise<unknown> {
  // its failure is the failure of the command behind it
  void client.asking().catch(() => undefined)
  return send(client, call, whole)
}

export function createLink(client: Redis, listeners: Listeners): Link {
  const channels = new Set<string>()

  function drop(): void {
    if (channels.size === 0) return
    channels.clear()
    listeners.gap()
  }
  client.on('close', drop)
  // a slot left this server, and the subscriptions with it
  client.on('moved', drop)
  client.on('smessage', (channel: string, payload: string) => listeners.message(channel, payload))

  return {
    client,
    async run(call, asking = false) {
      const once = asking ? sendAsking : send
      try {
        return await once(client, call, false)
      } catch (error) {
        // the script did not run: the server is new, restarted, or flushed its scripts
        if (!isReply(error, 'NOSCRIPT')) throw error
        return once(client, call, true)
      }
    },
    async subscribe(channel) {
      if (channels.has(channel)) return
      await client.ssubscribe(channel)
      channels.add(channel)
    },
    subscribed: (channel) => channels.has(channel),
  }
}
