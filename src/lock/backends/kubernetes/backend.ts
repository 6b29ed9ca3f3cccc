/**
 * Locks on objects of kind Lease in a Kubernetes namespace, one object for each key. The API server accepts a write only
 * for the version that the writer has seen, so one of two writers wins. The version of the write that grants is the
 * fence. The algorithm is that of client-go's leader election, with fences and tokens.
 *
 * No clocks are compared, only their rates. So a process that has just started must see a dead holder's lease for its
 * whole length. Waiters are woken, but not served in order.
 */

import { isKubeError } from '../../../kube/client/api.ts'
import type { KubeObject } from '../../../kube/client/resource.ts'
import { abortable } from '../../../std/abort.ts'
import type { Clock } from '../../../std/clock.ts'
import { createDeadline } from '../../../std/deadline.ts'
import type { Lease, LeaseRequest } from '../../backend.ts'
import { composeFence } from '../../fencing/fence-store.ts'
import type { Attempt, Extension, Inspection, Key, Release, Ticket, Token } from '../../lock.ts'
import { callTimeUp } from '../../outage.ts'
import { createTokenTurns, type TokenTurns } from '../../token-turns.ts'
import { accessOf, checkRights, type KubernetesAccess, kubernetesFailure } from './connect.ts'
import {
  type Claim,
  fenceOf,
  freedObject,
  grantedObject,
  holderOf,
  LEASES,
  objectName,
  renewedObject,
  ttlMsOf,
  versionOf,
} from './lease-object.ts'
import { createObservations, type Observations } from './observations.ts'
import type { KubernetesLock, KubernetesLockDeps } from './options.ts'

export type { KubernetesLock, KubernetesLockDeps } from './options.ts'

/** A lease of this process. */
interface Held {
  object: KubeObject
  readonly fence: bigint
  /** In monotonic milliseconds. */
  endsMs: number
}

/** Longest time for one call, in milliseconds. */
const CALL_MS = 2_000
/** Writes that lose against another one, in one call. */
const MAX_CONFLICTS = 3
/** A watch takes a connection. Waiters beyond this number look again each second. */
const MAX_WATCHES = 60
const POLL_MS = 1_000
const WATCH_SECONDS = 300

class KubernetesBackend implements KubernetesLock {
  readonly name = 'kubernetes'
  readonly capabilities = { fencing: 'always', wakes: true, fair: false } as const
  readonly #clock: Clock
  readonly #access: KubernetesAccess
  readonly #observations: Observations
  readonly #turns: TokenTurns = createTokenTurns(kubernetesFailure)
  readonly #held = new Map<Token, Held>()
  #watching = 0
  #epoch = 0n

  constructor(access: KubernetesAccess, clock: Clock) {
    this.#clock = clock
    this.#access = access
    this.#observations = createObservations(clock)
  }

  async start({ fences }: KubernetesLockDeps, signal: AbortSignal): Promise<void> {
    await checkRights(this.#access, signal)
    if (fences === undefined) return
    const namespaces = { group: '', version: 'v1', kind: 'Namespace', plural: 'namespaces', namespaced: false }
    const system = await this.#access.api.get(namespaces, { name: 'kube-system' }, signal)
    this.#epoch = await fences.epochOf(
      `kubernetes:${system?.metadata.uid ?? this.#access.api.connection.server}`,
      signal,
    )
  }

  tryAcquire(request: LeaseRequest, signal: AbortSignal): Promise<Attempt<'always'>> {
    return this.#turns.run([request.token], signal, () => this.#attempt(request))
  }

  extend(request: LeaseRequest, signal: AbortSignal): Promise<Extension> {
    return this.#turns.run([request.token], signal, () => this.#extend(request))
  }

  release({ key, token }: Lease, signal: AbortSignal): Promise<Release> {
    return this.#turns.run<Release>([token], signal, async () => {
      const held = this.#held.get(token)
      const isInTime = held === undefined || this.#clock.monotonicMs() < held.endsMs
      const freed = await this.#write(key, token, held?.object, freedObject)
      this.#held.delete(token)
      return { kind: freed !== undefined && isInTime ? 'released' : 'lost' }
    })
  }

  inspect(key: Key, signal: AbortSignal): Promise<Inspection> {
    return this.#turns.run<Inspection>([], signal, async () => {
      const object = await this.#get(key)
      const remainingMs = object === undefined ? 0 : this.#observations.see(object)
      if (object === undefined || remainingMs === 0) return { kind: 'free' }
      return { kind: 'held', remainingMs, fence: this.#composed(fenceOf(object)) }
    })
  }

  async wait(key: Key, ticket: Ticket, signal: AbortSignal): Promise<void> {
    const isFull = this.#watching >= MAX_WATCHES
    this.#watching++
    try {
      if (isFull) await this.#clock.sleep(POLL_MS, signal)
      else await this.#watch(objectName(key), ticket, signal)
    } catch {
      // the next attempt reports a lasting failure
    } finally {
      this.#watching--
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#access[Symbol.dispose]()
  }

  async #attempt(request: LeaseRequest): Promise<Attempt<'always'>> {
    const name = objectName(request.key)
    for (let conflicts = 0; ; conflicts++) {
      const before = this.#observations.free(name) ?? (await this.#get(request.key))
      const outcome = this.#refusal(request, before) ?? (await this.#grant(request, before))
      if (outcome !== undefined) return outcome
      this.#observations.forget(name)
      if (conflicts === MAX_CONFLICTS) return { kind: 'held', remainingMs: undefined }
    }
  }

  /** Returns the refusal while the lease of another token runs. */
  #refusal({ token, willWait }: LeaseRequest, before: KubeObject | undefined): Attempt<'always'> | undefined {
    if (before === undefined) return undefined
    const remainingMs = this.#observations.see(before)
    if (remainingMs === 0 || holderOf(before) === token) return undefined
    const refusal = { kind: 'held', remainingMs } as const
    return willWait === true ? { ...refusal, ticket: versionOf(before) } : refusal
  }

  /** Writes the claim, or renews the lease of a repeated token. Undefined if another write came first. */
  async #grant(request: LeaseRequest, before: KubeObject | undefined): Promise<Attempt<'always'> | undefined> {
    const { token, ttlMs } = request
    const sentMs = this.#clock.monotonicMs()
    if (before === undefined || holderOf(before) !== token) {
      const written = await this.#put(grantedObject(this.#claim(request), before), before === undefined)
      return written && this.#granted(written, fenceOf(written), token, sentMs + ttlMs)
    }
    const held = this.#held.get(token)
    const fence = held?.fence ?? fenceOf(before)
    const endsMs = Math.max(sentMs + ttlMs, held?.endsMs ?? 0)
    const claim = this.#claim({ ...request, ttlMs: Math.ceil(endsMs - sentMs) })
    const written = await this.#put(renewedObject(claim, before, fence), false)
    return written && this.#granted(written, fence, token, endsMs)
  }

  #granted(object: KubeObject, fence: bigint, token: Token, endsMs: number): Attempt<'always'> {
    this.#held.set(token, { object, fence, endsMs })
    const ttlMs = Math.max(0, endsMs - this.#clock.monotonicMs())
    return { kind: 'granted', fence: this.#composed(fence), ttlMs }
  }

  async #extend(request: LeaseRequest): Promise<Extension> {
    const { key, token, ttlMs } = request
    const held = this.#held.get(token)
    const sentMs = this.#clock.monotonicMs()
    if (held === undefined || held.endsMs <= sentMs) return { kind: 'lost' }
    // others count the whole length from this write, so it must cover the lease that an earlier write granted
    const claim = this.#claim({ ...request, ttlMs: Math.max(ttlMs, Math.ceil(held.endsMs - sentMs)) })
    const renewed = await this.#write(key, token, held.object, (before) => renewedObject(claim, before, held.fence))
    if (renewed === undefined) {
      this.#held.delete(token)
      return { kind: 'lost' }
    }
    held.object = renewed
    held.endsMs = Math.max(held.endsMs, sentMs + ttlMs)
    return { kind: 'extended', ttlMs: Math.max(0, sentMs + ttlMs - this.#clock.monotonicMs()) }
  }

  /** Changes the object while the token is its holder, also after another program changed it. Undefined: it is not. */
  async #write(
    key: Key,
    token: Token,
    known: KubeObject | undefined,
    change: (before: KubeObject) => KubeObject,
  ): Promise<KubeObject | undefined> {
    let before = known ?? (await this.#get(key))
    for (let conflicts = 0; before !== undefined && holderOf(before) === token; conflicts++) {
      const written = await this.#put(change(before), false)
      if (written !== undefined) return written
      if (conflicts === MAX_CONFLICTS) throw new Error('the object was changed repeatedly')
      before = await this.#get(key)
    }
    return undefined
  }

  /** Writes the object. Undefined if another version is current. */
  async #put(object: KubeObject, isNew: boolean): Promise<KubeObject | undefined> {
    try {
      const { api } = this.#access
      const written = await this.#call((signal) =>
        isNew ? api.create(LEASES, object, signal) : api.replace(LEASES, object, signal),
      )
      this.#observations.see(written)
      return written
    } catch (thrown) {
      if (isKubeError(thrown, 'KUBE_CONFLICT') || (!isNew && isKubeError(thrown, 'KUBE_NOT_FOUND'))) return undefined
      throw thrown
    }
  }

  #get(key: Key): Promise<KubeObject | undefined> {
    const at = { namespace: this.#access.namespace, name: objectName(key) }
    return this.#call((signal) => this.#access.api.get(LEASES, at, signal))
  }

  async #call<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    using deadline = createDeadline({ clock: this.#clock, ms: CALL_MS, timeoutError: callTimeUp, keepsAlive: true })
    return await work(deadline.signal)
  }

  /** Ends when the key is free, its object is gone, or the server ends the watch. */
  async #watch(name: string, resourceVersion: string, signal: AbortSignal): Promise<void> {
    const { watchApi, namespace } = this.#access
    const options = {
      namespace,
      resourceVersion,
      fieldSelector: `metadata.name=${name}`,
      timeoutSeconds: WATCH_SECONDS,
    }
    for await (const event of watchApi.watch(LEASES, options, signal)) {
      if (event.type === 'BOOKMARK') continue
      if (event.type === 'ERROR' || event.type === 'DELETED') return this.#observations.forget(name)
      this.#observations.see(event.object)
      if (holderOf(event.object) === undefined || ttlMsOf(event.object) === 0) return
    }
  }

  #claim({ key, token, ttlMs }: LeaseRequest): Claim {
    return { namespace: this.#access.namespace, key, token, ttlMs, wallMs: this.#clock.wallMs() }
  }

  #composed(fence: bigint): bigint {
    return this.#epoch === 0n ? fence : composeFence(this.#epoch, fence)
  }
}

/**
 * Connects by `kubernetes:///NAMESPACE`: with the service account in a pod, otherwise with the kubeconfig of kubectl. The
 * parameters `kubeconfig` and `context` choose others. Without a namespace it is that of the pod or of the context.
 * Rejects with `CONFIG_INVALID`, `LOCK_ACCESS_REFUSED`, `LOCK_TLS_FAILED`, `LOCK_UNSUITABLE`,
 * `LOCK_BACKEND_UNAVAILABLE` or `FENCE_STORE_UNAVAILABLE`, and with the signal's reason.
 */
export async function connectKubernetesLock(
  url: string,
  deps: KubernetesLockDeps,
  signal: AbortSignal,
): Promise<KubernetesLock> {
  let access: KubernetesAccess | undefined
  try {
    access = accessOf(url, deps.clock)
    const backend = new KubernetesBackend(access, deps.clock)
    await abortable(backend.start(deps, signal), signal)
    return backend
  } catch (thrown) {
    access?.[Symbol.dispose]()
    throw signal.aborted ? thrown : kubernetesFailure(thrown)
  }
}
