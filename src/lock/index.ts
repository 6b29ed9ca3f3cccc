/**
 * `ingot/lock`: leases with fences over one port. Begin with `openLockBackend` (a URL to a backend) and `createLocker`
 * (a backend to locks); LOCKS.md says which backend to use, and what each of them cannot promise.
 */
export { type Clock, systemClock, type Timer } from '../std/clock.ts'
export { FAULTS, Fault, type FaultCode } from '../std/fault.ts'
export type { Backoff } from '../std/retry.ts'
export { type Log, silentLog } from '../telemetry/log.ts'
export { createMetrics, type Metrics } from '../telemetry/metrics.ts'
export type { BackendContext, Capabilities, Lease, LeaseRequest, LockBackend, OpenBackend } from './backend.ts'
export { type Breaker, type BreakerOptions, type BreakerState, createBreaker } from './breaker.ts'
export { withBreaker, withTelemetry } from './decorate.ts'
export { type LockFailure, LockFault } from './failure.ts'
export { composeFence, type FenceStore } from './fence-store.ts'
export { openFenceStore } from './fences/registry.ts'
export type { Claim, ExtendOutcome, Grant } from './grant.ts'
export type { LeaderState, Leadership, LeaderWork, LeadOptions, LeadOutcome } from './leader.ts'
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
export { createMemoryBackend, type DurableMemoryOptions, type MemoryOptions } from './memory/backend.ts'
export { type AcquireOptions, type LockerOptions, marginMs, type WaitOptions } from './policy.ts'
export { LOCK_SCHEMES, openLockBackend } from './registry.ts'
export type { PermitOutcome, Semaphore, SemaphoreInspection, SemaphoreOptions } from './semaphore.ts'
