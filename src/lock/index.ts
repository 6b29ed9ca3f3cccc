/**
 * `ingot/lock`: leases with fences over one port. Begin with `openLockBackend` (a URL to a backend) and `createLocker`
 * (a backend to locks); LOCKS.md says which backend to use, and what each of them cannot promise.
 */
export type { BackendContext, Capabilities, Lease, LeaseRequest, LockBackend, OpenBackend } from './backend.ts'
export { type Breaker, type BreakerOptions, type BreakerState, createBreaker } from './breaker.ts'
export { withBreaker, withTelemetry } from './decorate.ts'
export { composeFence, type FenceStore } from './fence-store.ts'
export { openFenceStore } from './fences/registry.ts'
export type { Claim, Grant } from './grant.ts'
export type {
  Attempt,
  Extension,
  FenceOf,
  Fencing,
  Inspection,
  Key,
  Release,
  Ticket,
  Token,
  Unavailable,
} from './lock.ts'
export { createLocker, type Locker, type TryOutcome } from './locker.ts'
export { type Call, createLockMeasures, type LockMeasures, type LossCause, unmeasured } from './measure.ts'
export { createMemoryBackend } from './memory/backend.ts'
export { type AcquireOptions, type LockerOptions, marginMs, type WaitOptions } from './policy.ts'
export { LOCK_SCHEMES, openLockBackend } from './registry.ts'
