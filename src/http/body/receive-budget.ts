/**
 * A shared budget for the bytes of all requests that are being received. Each request also has its own limit. A lease
 * is charged for the bytes that it allocates, not for the length that the client announced, so a client that announces
 * a long body and sends nothing takes no budget from others.
 */
import { IngotError } from '../../errors/error.ts'

export interface ReceiveBudget {
  /** Bytes that all leases hold together. */
  readonly heldBytes: number
  /** Opens a lease that holds no bytes yet. */
  open(): ReceiveLease
}

export interface ReceiveLease {
  /**
   * Changes the bytes that the lease holds to `bytes`. Throws IngotError OVERLOADED if all leases together would exceed
   * the budget; the lease then keeps its former size. A lease may always shrink.
   */
  resize(bytes: number): void
  /** Releases the bytes of the lease. Later calls of `resize` hold none. */
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
