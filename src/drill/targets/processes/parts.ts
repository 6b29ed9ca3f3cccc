/** The parts of a local system that faults can break: replicas, links and servers. */

/** A server that can be killed and started again. */
export interface Server {
  /** Sends SIGKILL. */
  kill(): Promise<void>
  /** Resolves with the evidence that it is dead. Rejects if it still responds. */
  proveKilled(): Promise<string>
  /** Starts it and resolves when it serves. Does nothing if it runs. */
  start(signal: AbortSignal): Promise<void>
}

/** A server that can be stopped with SIGSTOP. */
export interface Freezable {
  freeze(): Promise<void>
  /** Resolves with the evidence that it is stopped. Rejects if it still runs. */
  proveFrozen(): Promise<string>
  /** Continues it. Does nothing if it runs or is gone. */
  thaw(): Promise<void>
}

/** One of several replicas of the service. */
export interface Replica extends Server, Freezable {
  readonly name: string
  readonly url: string
  /** Makes the replica send itself the signal when it next reaches the fail point. */
  arm(point: string, signalName: BreakSignal): Breakpoint
  /** The connection between the replica and the store. */
  readonly link: ProxyLink
}

export type BreakSignal = 'SIGKILL' | 'SIGSTOP'

/** An armed breakpoint of a replica. */
export interface Breakpoint {
  /** Resolves with the evidence that the replica has reached the point. Rejects after `withinMs` milliseconds. */
  reached(withinMs: number, signal: AbortSignal): Promise<string>
  /** Removes a breakpoint that was not reached. */
  disarm(): void
}

/** A connection that can delay a request, or lose responses. */
export interface ProxyLink {
  /** Holds the first piece of data from the replica that contains the marker, and all data after it. */
  hold(marker: Uint8Array): PacketHold
  /** Delivers that piece, and drops all later responses on its connection. */
  mute(marker: Uint8Array): PacketHold
}

/** Data that is held on a link. */
export interface PacketHold {
  /** Resolves when the marker was seen. */
  readonly caught: Promise<void>
  /**
   * Delivers the held data, or stops waiting for the marker. Returns the number of bytes that were delivered late. A
   * second call returns 0.
   */
  release(): number
}

/** The server of the lock service. */
export interface LockServer extends Server, Freezable {
  /** Deletes all keys. Resolves with the reply as evidence. */
  flush(): Promise<string>
  /** Absent if there is no replica. */
  readonly failover?: Failover
}

/** A planned handover to a replica. */
export interface Failover {
  request(): Promise<void>
  /** Resolves with the evidence that another server is primary. */
  prove(signal: AbortSignal): Promise<string>
}
