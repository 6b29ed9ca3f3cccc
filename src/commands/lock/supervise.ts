/**
 * Stops a command before its lease can end, so that it never runs beside the next holder.
 *
 * running --the rest of the lease fell to the grace--> asked to end (SIGTERM) --renewed--> running
 *    \--the lock is lost, or the rest fell to the reserve--> killed (SIGKILL)
 */
import type { Grant } from '../../lock/engine/grant.ts'
import type { Clock } from '../../std/clock.ts'
import type { LeaseTerms } from './terms.ts'

/** How a command ended. */
export type Ended =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signalled'; readonly name: NodeJS.Signals }

/** A running command with its process group. */
export interface Job {
  /** Resolves when the command has ended; other processes of its group may still run. */
  readonly ended: Promise<Ended>
  /** Asks the group to end, with SIGTERM. */
  ask(): void
  /** Ends the group, with SIGKILL. */
  kill(): void
  /** Returns true if no process of the group is left. */
  isGone(): boolean
}

export interface Outcome {
  readonly ended: Ended
  /** True if the command was stopped because of its lease. */
  readonly stopped: boolean
}

/** Interval between two checks for processes that outlive the command, in milliseconds. */
const CHECK_MS = 20

type Lease = Pick<Grant, 'remainingMs' | 'signal'>

/** Waits for the end of the job. Stops it if its lease is not renewed in time. */
export async function supervise(job: Job, lease: Lease, terms: LeaseTerms, clock: Clock): Promise<Outcome> {
  const watch = new LeaseWatch(job, lease, terms, clock)
  watch.begin()
  try {
    const ended = await job.ended
    if (watch.stopped) await watch.stopRest()
    return { ended, stopped: watch.stopped }
  } finally {
    watch.end()
  }
}

class LeaseWatch {
  readonly #job: Job
  readonly #lease: Lease
  readonly #terms: LeaseTerms
  readonly #clock: Clock
  readonly #check = (): void => this.#act()
  #cancel = (): void => {}
  #asked = false
  #killed = false
  stopped = false

  constructor(job: Job, lease: Lease, terms: LeaseTerms, clock: Clock) {
    this.#job = job
    this.#lease = lease
    this.#terms = terms
    this.#clock = clock
  }

  begin(): void {
    this.#lease.signal.addEventListener('abort', this.#check, { once: true })
    this.#act()
  }

  end(): void {
    this.#cancel()
    this.#lease.signal.removeEventListener('abort', this.#check)
  }

  /** Ends processes of the group that outlive the command, before the lease ends. */
  async stopRest(): Promise<void> {
    while (!this.#job.isGone() && this.#lease.remainingMs() > this.#terms.reserveMs) await this.#clock.sleep(CHECK_MS)
    this.#job.kill()
  }

  #act(): void {
    this.#cancel()
    if (this.#killed) return
    const { graceMs, reserveMs } = this.#terms
    const leftMs = this.#lease.remainingMs()
    if (leftMs <= reserveMs) return this.#kill()
    if (leftMs <= graceMs) this.#ask()
    else this.#asked = false
    const nextMs = leftMs - (leftMs <= graceMs ? reserveMs : Math.max(graceMs, reserveMs))
    const timer = this.#clock.timer(Math.max(1, nextMs), this.#check, { keepsAlive: true })
    this.#cancel = () => timer.cancel()
  }

  #ask(): void {
    if (this.#asked) return
    this.#asked = true
    this.stopped = true
    this.#job.ask()
  }

  #kill(): void {
    this.#killed = true
    this.stopped = true
    this.#job.kill()
  }
}
