/** Keeps one probe for each pod, and closes those of pods that are gone. */
import { toIngotError } from '../../errors/error.ts'
import { isSameJson } from '../../kube/runtime/conditions.ts'
import type { Commands, Polled, Probe } from '../../redis/probe.ts'
import type { Clock } from '../../std/clock.ts'

export interface ProbePool<T> extends Disposable {
  /**
   * Polls the server of each target at the same time. A target whose identity changed gets a new connection. A target that
   * cannot be connected to is silent at once. A connected server is silent after two polls without a response; until then
   * its last report counts.
   */
  poll(targets: readonly ProbeTarget<T>[]): Promise<ReadonlyMap<string, Polled<T>>>
  /** Returns the connection to the pod's server; undefined if there was none at the last poll. */
  commandsOf(pod: string): Commands | undefined
}

export interface ProbeTarget<T> {
  /** Name of the pod. */
  readonly pod: string
  /** Changes with the pod, its address, its credentials and the name of the connection. */
  readonly identity: string
  /** The last report counts for so long while the connection is open, in milliseconds. Default: 0. */
  readonly freshMs?: number
  readonly open: () => Promise<Probe<T>>
}

interface Kept<T> {
  readonly identity: string
  readonly probe: Promise<Probe<T>>
  commands: Commands | undefined
  /** Report of the last poll, if that had one, and when it came. */
  last: T | undefined
  lastMs: number
}

export function createProbePool<T>(clock: Pick<Clock, 'monotonicMs'>): ProbePool<T> {
  const kept = new Map<string, Kept<T>>()

  function close(pod: string): void {
    const one = kept.get(pod)
    kept.delete(pod)
    // a probe that could not be opened has nothing to close
    one?.probe.then((probe) => probe[Symbol.dispose]()).catch(() => undefined)
  }

  function keptFor({ pod, identity, open }: ProbeTarget<T>): Kept<T> {
    const known = kept.get(pod)
    if (known?.identity === identity) return known
    close(pod)
    const one: Kept<T> = { identity, probe: open(), commands: undefined, last: undefined, lastMs: 0 }
    // a failed attempt is not kept, so the next poll tries again
    one.probe.catch(() => kept.delete(pod))
    kept.set(pod, one)
    return one
  }

  async function pollOne(target: ProbeTarget<T>): Promise<Polled<T>> {
    const one = keptFor(target)
    try {
      const probe = await one.probe
      const { freshMs = 0 } = target
      const isFresh = probe.isOpen && clock.monotonicMs() - one.lastMs < freshMs
      if (isFresh && one.last !== undefined) return { kind: 'seen', value: one.last }
      const polled = await probe.poll()
      one.commands = polled.kind === 'silent' && polled.isClosed ? undefined : probe
      one.lastMs = clock.monotonicMs()
      return accept(one, polled)
    } catch (cause) {
      return { kind: 'silent', error: toIngotError(cause), isClosed: true }
    }
  }

  return {
    async poll(targets) {
      const wanted = new Set(targets.map(({ pod }) => pod))
      for (const pod of kept.keys()) if (!wanted.has(pod)) close(pod)
      const polled = await Promise.all(targets.map(async (target) => [target.pod, await pollOne(target)] as const))
      return new Map(polled)
    },
    commandsOf: (pod) => kept.get(pod)?.commands,
    [Symbol.dispose]() {
      for (const pod of kept.keys()) close(pod)
    },
  }
}

/** Remembers a report. Returns what counts: the last report for a first silence, and for a report that equals it. */
function accept<T>(one: Kept<T>, polled: Polled<T>): Polled<T> {
  const { last } = one
  const isSame = polled.kind === 'seen' && last !== undefined && isSameJson(last, polled.value)
  if (!isSame) one.last = polled.kind === 'seen' ? polled.value : undefined
  const isFirstSilence = polled.kind === 'silent' && !polled.isClosed
  return last !== undefined && (isSame || isFirstSilence) ? { kind: 'seen', value: last } : polled
}
