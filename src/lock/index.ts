/**
 * `ingot/lock`: leases with fences on one port. Begin with `openLockBackend`, which turns a URL into a backend, and
 * `createLocker`, which turns a backend into locks. LOCKS.md describes which backend to use, and the limits of each.
 */

export { ERRORS, type ErrorCode, IngotError } from '../errors/error.ts'
export {
  type Breaker,
  BreakerOpenError,
  type BreakerOptions,
  type BreakerState,
  createBreaker,
} from '../std/breaker.ts'
export { type Clock, systemClock, type Timer } from '../std/clock.ts'
export type { Backoff } from '../std/retry.ts'
export { type Log, silentLog } from '../telemetry/log.ts'
export { createMetrics, type Metrics } from '../telemetry/metrics.ts'
export type { BackendContext, Capabilities, Lease, LeaseRequest, LockBackend, OpenBackend } from './backend.ts'
export { createMemoryBackend } from './backends/memory/backend.ts'
export type { DurableMemoryOptions, MemoryOptions } from './backends/memory/options.ts'
export { withBreaker, withTelemetry } from './engine/decorate.ts'
export type { ExtendOutcome, Grant, MultiGrant } from './engine/grant.ts'
export type { LeaderState, Leadership, LeaderWork, LeadOptions, LeadOutcome } from './engine/leader.ts'
export type { PermitOutcome, Semaphore, SemaphoreInspection, SemaphoreOptions } from './engine/semaphore.ts'
export { composeFence, type FenceStore } from './fencing/fence-store.ts'
export { openFenceStore } from './fencing/registry.ts'
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
export { LockError, type LockFailure } from './lock-error.ts'
export { createLocker, type Locker, type TryOutcome } from './locker.ts'
export { type Call, createLockMeasures, type LockMeasures, type LossCause, unmeasured } from './measure.ts'
export { type AcquireOptions, type LockerOptions, marginMs, type WaitOptions } from './policy.ts'
export { LOCK_SCHEMES, openLockBackend } from './registry.ts'
