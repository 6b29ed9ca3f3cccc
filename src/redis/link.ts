/**
 * A link to one server, on one ioredis client: runs scripts, keeps sharded subscriptions, and reports when messages may
 * have been missed. With RESP3 one socket carries both, so subscriptions live exactly as long as the connection.
 */
import { Command, type Redis } from 'ioredis'
import { systemClock } from '../std/clock.ts'
import { isReply, Unsent } from './failure.ts'
import type { Script } from './script.ts'

/** A call of one script on one server. In a cluster, its keys must share a hash tag. */
export interface ScriptCall<T> {
  readonly script: Script
  /** The first key. In a cluster it selects the node. */
  readonly key: string
  /** Number of keys, keys and arguments, as strings of the protocol, see `bulk`. */
  readonly body: string
  /** Number of these strings. */
  readonly parts: number
  /** Decodes the reply. `run` rejects with the error that it throws. */
  readonly read: (reply: unknown) => T
  /** Called before every write to a socket. Returns false if the caller has given up; then nothing is sent. */
  readonly wanted: () => boolean
}

export interface Listeners {
  message(channel: string, payload: string): void
  /** Called when subscriptions were lost. Messages may have been missed. */
  gap(): void
  /** Called when an established connection is lost. The next one may reach another server. */
  lost?(): void
  /** Called when a Sentinel announces another primary. */
  announced?(): void
}

export interface Link {
  readonly client: Redis
  run<T>(call: ScriptCall<T>, asking?: boolean): Promise<T>
  /** Resolves when the server will send all messages from now on; at once for a subscribed channel. */
  subscribe(channel: string): Promise<void>
  subscribed(channel: string): boolean
}

// This file encodes EVALSHA in one pass, and all commands of a client share one time-out timer. ioredis sets and clears a
// timer for each command and processes every argument three times, which took a tenth of the time between two round trips
// on one machine.

const COMMAND_TIMED_OUT = 'Command timed out'
/** Smallest number of settled commands that are removed at a time. */
const MIN_REMOVED = 64
const NO_ARGS: string[] = []
const AS_TEXT = { replyEncoding: 'utf8' } as const

/**
 * The time-outs of the commands of one client. They have the same length, so the oldest command is due first, and one
 * timer is enough: when it fires, it is set again for the oldest command at that time.
 */
class CommandTimeouts {
  /** Commands in the order in which they were sent, which is the order of replies. The first `#done` are settled. */
  #sent: ScriptCommand[] = []
  #done = 0
  #armed = false

  add(command: ScriptCommand, ms: number): void {
    command.dueMs = systemClock.monotonicMs() + ms
    this.#sent.push(command)
    if (!this.#armed) this.#arm(ms)
  }

  /** Removes the command, and those before it that have failed. */
  settle(command: ScriptCommand): void {
    let first = this.#sent[this.#done]
    while (first !== undefined && (first === command || first.isSettled)) first = this.#sent[++this.#done]
    if (first === undefined) this.#sent.length = 0
    else if (this.#done < MIN_REMOVED) return
    else this.#sent = this.#sent.slice(this.#done)
    this.#done = 0
  }

  #arm(ms: number): void {
    this.#armed = true
    systemClock.timer(ms, () => this.#expire())
  }

  #expire(): void {
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
  /** Deadline in monotonic milliseconds. */
  dueMs = 0
  /** The complete command as it is sent. */
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

  /** Called once, with the reply. A command that fails instead stays until the timer finds it settled. */
  override transformReply(result: Buffer | Buffer[]): ReturnType<Command['transformReply']> {
    this.#timeouts.settle(this)
    return super.transformReply(result)
  }
}

function rethrow(error: unknown): never {
  throw error
}

const GIVEN_UP = 'the caller gave up before the command was sent'

/**
 * Returns a link on a connected client. `refuse` gets the error of a call and throws the error for the caller. Default:
 * rethrows it.
 */
export function createLink(client: Redis, listeners: Listeners, refuse = rethrow): Link {
  const channels = new Set<string>()
  const timeouts = new CommandTimeouts()

  // created while the reply to the previous command is on its way, when there is time
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

  /** ASKING applies only to the next command of the connection, so both are written together. */
  function sendAsking(call: ScriptCall<unknown>, whole: boolean): Promise<unknown> {
    // if it fails, the command behind it fails too
    void client.asking().catch(() => undefined)
    return send(call, whole)
  }

  function drop(): void {
    if (channels.size === 0) return
    channels.clear()
    listeners.gap()
  }
  let established = client.status === 'ready'
  client.on('ready', () => void (established = true))
  client.on('close', () => {
    drop()
    // failed attempts to connect emit `close` too
    if (established) listeners.lost?.()
    established = false
  })
  // a slot moved to another server, and its subscriptions ended
  client.on('moved', drop)
  client.on('smessage', (channel: string, payload: string) => listeners.message(channel, payload))

  return {
    client,
    run(call, asking = false) {
      const attempt = asking ? sendAsking : send
      return attempt(call, false).then(call.read, (error: unknown) => {
        // the script did not run: the server is new, has restarted, or flushed its scripts
        return isReply(error, 'NOSCRIPT') ? attempt(call, true).then(call.read, refuse) : refuse(error)
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
