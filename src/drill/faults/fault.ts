/** A fault: something that is broken, seen to be broken, and healed again, within a bounded time. */
import type { Random } from '../../std/random.ts'

export interface FaultInjection {
  /** Its name in the history, such as `replica-kill`. */
  readonly name: string
  /** Locks that are held may be granted again because of it. Default: false. */
  readonly losesLocks?: boolean
  /** Of what the store did meanwhile some may be undone, all of it by the time the fault is over. Default: false. */
  readonly losesItems?: boolean
  /**
   * Strikes and heals; resolves with how it is known to have happened. Rejects when it did not come about, and with
   * the signal's reason; heals in any case.
   */
  inject(random: Random, signal: AbortSignal): Promise<string>
}

/** One of several replicas of the service. */
export interface Replica {
  readonly name: string
  readonly url: string
  /** SIGKILL; resolves with the proof when it is gone. */
  kill(): Promise<string>
  /** Starts it again, ready to serve. */
  start(signal: AbortSignal): Promise<void>
  /** SIGSTOP; resolves with the proof when it is stopped. */
  freeze(): Promise<string>
  thaw(): void
  /** Has it send itself the signal when it next passes the point. `met` resolves with the proof, or rejects in time. */
  arm(point: string, strike: 'SIGKILL' | 'SIGSTOP'): Breakpoint
  /** Between it and the store. */
  readonly link: ProxyLink
}

export interface Breakpoint {
  met(withinMs: number, signal: AbortSignal): Promise<string>
  disarm(): void
}

/** A connection that can hold a packet back, or lose answers. */
export interface ProxyLink {
  /** Holds the first piece of data from the replica that contains the marker, and all that follows it. */
  hold(marker: Uint8Array): PacketHold
  /** Lets it pass, and loses everything that is answered on that connection from then on. */
  mute(marker: Uint8Array): PacketHold
}

export interface PacketHold {
  /** Resolves when it has caught something. */
  readonly caught: Promise<void>
  /** Delivers what was held; or forgets a trap that caught nothing. Resolves with how many bytes were delivered late. */
  open(): number
}

/** A server behind the service: the lock service, the store. */
export interface Server {
  /** Resolves with the proof when it is gone. */
  kill(): Promise<string>
  /** Starts it again, ready to serve. */
  start(signal: AbortSignal): Promise<void>
}

export interface LockServer extends Server {
  freeze(): Promise<string>
  thaw(): Promise<void>
  /** Forgets everything. */
  flush(): Promise<string>
  /** Hands over to a replica; absent where there is none. */
  readonly failover?: (signal: AbortSignal) => Promise<string>
}
