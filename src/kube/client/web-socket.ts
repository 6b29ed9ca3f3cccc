/** The WebSockets of client-node, which it types by a package without types. */
import { IngotError, reasonOf } from '../../errors/error.ts'

/** The part that is used. */
export interface Socket {
  close(): void
  addEventListener(event: 'close', listener: () => void): void
}

export function isSocket(value: unknown): value is Socket {
  return typeof value === 'object' && value !== null && 'close' in value && 'addEventListener' in value
}

/** Returns the error for a WebSocket that was not opened. client-node passes its error event on. */
export function refusal(where: string, cause: unknown): IngotError {
  const message =
    typeof cause === 'object' && cause !== null && 'message' in cause ? String(cause.message) : reasonOf(cause)
  const code = /\b403\b/.test(message)
    ? 'KUBE_FORBIDDEN'
    : /\b404\b/.test(message)
      ? 'KUBE_NOT_FOUND'
      : 'KUBE_UNREACHABLE'
  return new IngotError(code, `${where}: ${message}`)
}
