/** W3C Trace Context for a service that joins traces but exports no spans. */
import { randomBytes } from 'node:crypto'

export interface TraceContext {
  /** 32 hex digits, shared by every service that the request passes through. */
  readonly traceId: string
  /** 16 hex digits for this service's part of the trace. */
  readonly spanId: string
  /** True if the caller says that it records the trace. */
  readonly sampled: boolean
}

// version 00, and later versions whose first four fields keep this form
const TRACEPARENT = /^(?!ff)[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(?:-.*)?$/

const SAMPLED = 0x01

/** Joins the caller's trace if `traceparent` is well-formed and not all zero. Otherwise starts a new trace. */
export function traceFrom(traceparent: string | undefined): TraceContext {
  const [, traceId, parentId, flags = '0'] = TRACEPARENT.exec(traceparent ?? '') ?? []
  const valid = traceId !== undefined && parentId !== undefined && /[^0]/.test(traceId) && /[^0]/.test(parentId)
  const spanId = randomBytes(8).toString('hex')
  if (!valid) return { traceId: randomBytes(16).toString('hex'), spanId, sampled: false }
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & SAMPLED) !== 0 }
}
