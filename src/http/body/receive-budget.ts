/**
 * One budget for the bytes of all requests that are being received. Each request has a bound of its own; this is the
 * bound of all of them together. A lease is charged for what it allocates, not for what it was told to expect, so a
 * client that announces much and sends nothing takes nothing from others.
 */
import { IngotError } from '../../errors/error.ts'

export interface ReceiveBudget {
  /** Bytes that all leases hold. */
  readonly heldBytes: number
  /** Opens a lease that holds nothing yet. */
  open(): ReceiveLease
}

export interface ReceiveLease {
  /**
   * Holds `bytes` from now on instead of what it held. Throws IngotError OVERLOADED if all leases together would exceed the
   * budget; the lease then holds what it held before. A lease may always shrink.
   */
  resize(bytes: number): void
  /** Holds nothing more, now and later. */
  close(): void
}

export function createReceiveBudget(maxBytes: number): ReceiveBudget {
  let heldBytes = 0
  return {
    get heldBytes() {
      return heldBytes
    },
    open() {
      let held = 0
      let closed = false
      return {
        resize(bytes) {
          if (closed) return
          if (bytes > held && heldBytes + bytes - held > maxBytes) throw overloaded(maxBytes)
          heldBytes += bytes - held
          held = bytes
        },
        close() {
          closed = true
          heldBytes -= held
          held = 0
        },
      }
    },
  }
}

function overloaded(maxBytes: number): IngotError {
  return new IngotError(
    'OVERLOADED',
    `the bodies of other requests fill the ${maxBytes} bytes for them (maxReceivingBytes)`,
  )
}
