/**
 * One ioredis client as a line to one server: runs scripts, keeps sharded subscriptions, and says when messages may
 * have been missed. By RESP3 one socket carries both, so a subscription is exactly as alive as the commands are.
 */
import { Command, type Redis } from 'ioredis'
import { systemClock } from '../std/clock.ts'
import { isReply, Unsent } from './failure.ts'
import type { Script } from './script.ts'

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

// EVALSHA goes out as bytes made here in one pass, and all commands of a client share one time-out timer. ioredis makes
// and clears a timer for each command and handles every argument three times. Between two round trips on one machine,
// that took a tenth of the time.

const COMMAND_TIMED_OUT = 'Command timed out'
/** Settled commands are let go of in such numbers at least. */
const MANY = 64
const NO_ARGS: string[] = []
const AS_TEXT = { replyEncoding: 'utf8' } as const

/**
 * The time-outs of one client's commands. They are all equally long, so the oldest command is due first, and one timer
 * does for all: it is set for the oldest, and set again for the oldest of then when it rings.
 */
class CommandTimeouts {
  /** In the order in which they were sent, which is that of their answers. The first `#done` are settled. */
  #sent: ScriptCommand[] = []
  #done = 0
  #armed = false

  add(command: ScriptCommand, ms: number): void {
    command.dueMs = systemClock.monotonicMs() + ms
    this.#sent.push(command)
    if (!this.#armed) this.#arm(ms)
  }

  /** Forgets the command, and those before it that have failed. */
  settle(command: ScriptCommand): void {
    let first = this.#sent[this.#done]
    while (first !== undefined && (first === command || first.isSettled)) first = this.#sent[++this.#done]
    if (first === undefined) this.#sent.length = 0
    else if (this.#done < MANY) return
    else this.#sent = this.#sent.slice(this.#done)
    this.#done = 0
  }

  #arm(ms: number): void {
    this.#armed = true
    systemClock.timer(ms, () => this.#ring())
  }

  #ring(): void {
    this.#armed = false
    const now = systemClock.monotonicMs()
    for (const command of this.#sent.slice(this.#done)) {
      if (command.dueMs > now) return this.#arm(command.dueMs - now)
      if (!command.isSettled) command.reject(new Error(COMMAND_TIMED_OUT))
      this.settle(command)
    }
  }
}

class ScriptCommand extends Command {
  /** Monotonic milliseconds. */
  dueMs = 0
  /** The whole command as it is sent. */
  wire = ''
  readonly #timeouts: CommandTimeouts

  constructor(timeouts: CommandTimeouts) {
    super('evalsha', NO_ARGS, AS_TEXT)
    this.#timeouts = timeouts
  }

  override toWritable(): string {
    return this.wire
  }

  override setTimeout(ms: number): void {
    this.#timeouts.add(this, ms)
  }

  /** Called once, with the answer. A command that fails instead stays until the timer finds it settled. */
  override transformReply(result: Buffer | Buffer[]): ReturnType<Command['transformReply']> {
    this.#timeouts.settle(this)
    return super.transformReply(result)
  }
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
