/** Keeps one probe for each pod, and closes those of pods that are gone. */
import { reasonOf } from '../../errors/error.ts'
import type { Polled, Probe } from '../../redis/probe.ts'

export interface ProbePool<T> extends Disposable {
  /**
   * Polls the server of each target at the same time. A target whose identity changed gets a new connection. A target that
   * cannot be connected to is silent.
   */
  poll(targets: readonly ProbeTarget<T>[]): Promise<ReadonlyMap<string, Polled<T>>>
}

export interface ProbeTarget<T> {
  /** Name of the pod. */
  readonly pod: string
  /** Changes with the pod, its address and its credentials. */
  readonly identity: string
  readonly open: () => Promise<Probe<T>>
}

interface Kept<T> {
  readonly identity: string
  readonly probe: Promise<Probe<T>>
}

export function createProbePool<T>(): ProbePool<T> {
  const kept = new Map<string, Kept<T>>()

  function close(pod: string): void {
    const one = kept.get(pod)
    kept.delete(pod)
    // a probe that could not be opened has nothing to close
    one?.probe.then((probe) => probe[Symbol.dispose]()).catch(() => undefined)
  }

  function probeOf({ pod, identity, open }: ProbeTarget<T>): Promise<Probe<T>> {
    const known = kept.get(pod)
    if (known?.identity === identity) return known.probe
    close(pod)
    const probe = open()
    // a failed attempt is not kept, so the next poll tries again
    probe.catch(() => kept.delete(pod))
    kept.set(pod, { identity, probe })
    return probe
  }

  async function pollOne(target: ProbeTarget<T>): Promise<Polled<T>> {
    try {
      const probe = await probeOf(target)
      return await probe.poll()
    } catch (cause) {
      return { kind: 'silent', reason: reasonOf(cause) }
    }
  }

  return {
    async poll(targets) {
      const wanted = new Set(targets.map(({ pod }) => pod))
      for (const pod of kept.keys()) if (!wanted.has(pod)) close(pod)
      const polled = await Promise.all(targets.map(async (target) => [target.pod, await pollOne(target)] as const))
      return new Map(polled)
    },
    [Symbol.dispose]() {
      for (const pod of kept.keys()) close(pod)
    },
  }
}
