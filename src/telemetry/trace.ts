/** W3C Trace Context for a service that joins traces but exports no spans. */
import { randomBytes } from 'node:crypto'

export interface TraceContext {
  /** 32 hex digits, shared by every service that the request passes through. */
  readonly traceId: string
  /** 16 hex digits for this service's part of the trace. */
  readonly spanId: string
}

// version 00, and later versions whose first four fields keep this form
const TRACEPARENT = /^(?!ff)[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-[\da-f]{2}(?:-.*)?$/

/** Joins the caller's trace if `traceparent` is well-formed and not all zero. Otherwise starts a new trace. */
export function traceFrom(traceparent: string | undefined): TraceContext {
  const [, traceId, parentId] = TRACEPARENT.exec(traceparent ?? '') ?? []
  const valid = traceId !== undefined && parentId !== undefined && /[^0]/.test(traceId) && /[^0]/.test(parentId)
  return { traceId: valid ? traceId : randomBytes(16).toString('hex'), spanId: randomBytes(8).toString('hex') }
}
