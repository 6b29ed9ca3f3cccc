/**
 * Spans of OpenTelemetry. Without an SDK (otel.ts) nothing is recorded, and no SDK is loaded. A span is created only
 * within a trace that is recorded, so work that no caller's trace contains costs a look-up of the context.
 */
import {
  type Attributes,
  type Context,
  context,
  createContextKey,
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { reasonOf } from '../errors/error.ts'
import type { Clock } from '../std/clock.ts'
import type { TraceContext } from './trace.ts'

const tracer = trace.getTracer('ingot')
const QUIET = createContextKey('ingot: no spans of single items')

/** A recorded trace that waits for work that others share. */
export type RecordedTrace = SpanContext

/** Returns the trace of the current work, recorded or not. Returns `undefined` without an SDK. */
export function currentTrace(): TraceContext | undefined {
  const found = trace.getActiveSpan()?.spanContext()
  if (found === undefined || !trace.isSpanContextValid(found)) return undefined
  return { traceId: found.traceId, spanId: found.spanId, sampled: (found.traceFlags & 1) === 1 }
}

/** Returns the trace of the current work if it is recorded. */
export function recordedTrace(): RecordedTrace | undefined {
  const span = trace.getActiveSpan()
  return span?.isRecording() === true ? span.spanContext() : undefined
}

/** Returns the fields that link a log line to the trace of the current work. */
export function logFieldsOf(known: TraceContext | undefined): { trace_id?: string; span_id?: string } {
  return known === undefined ? {} : { trace_id: known.traceId, span_id: known.spanId }
}

/** Returns the header fields that continue the trace of the current work in another service. */
export function traceHeaders(): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {}
  propagation.inject(context.active(), headers)
  return headers
}

/**
 * Runs the work within a span if the current trace is recorded, and otherwise without one. A failure is recorded in the
 * span and thrown.
 */
export async function withSpan<T>(name: string, attributes: Attributes, work: () => Promise<T>): Promise<T> {
  const current = context.active()
  if (trace.getSpan(current)?.isRecording() !== true || current.getValue(QUIET) === true) return work()
  return inSpan(tracer.startSpan(name, { attributes }, current), current, work)
}

/** Runs the work of several items within one span. Spans of single items are not created in it. */
export async function withUnitSpan<T>(name: string, attributes: Attributes, work: () => Promise<T>): Promise<T> {
  return withSpan(name, attributes, () => context.with(context.active().setValue(QUIET, true), work))
}

/**
 * Runs work that several requests share. Its span belongs to the trace of the first recorded one, and links to each.
 * Without a recorded trace there is no span, and the work belongs to no trace.
 */
export async function withSharedSpan<T>(
  { name, attributes }: { readonly name: string; readonly attributes: Attributes },
  traces: readonly (RecordedTrace | undefined)[],
  work: () => Promise<T>,
): Promise<T> {
  const recorded = distinct(traces)
  const [first] = recorded
  // the context of the callback that began the work belongs to an arbitrary request
  if (first === undefined) return context.with(ROOT_CONTEXT, work)
  const parent = trace.setSpanContext(ROOT_CONTEXT, first)
  const links = recorded.map((one) => ({ context: one }))
  return inSpan(tracer.startSpan(name, { attributes, links }, parent), parent, work)
}

/** Longest wait for a collector at the end of the process, in milliseconds. Spans are worth less than a clean end. */
const LAST_EXPORT_MS = 2_000

let lastExport: (() => Promise<void>) | undefined

/** Registers the last export of the SDK, for `endSpans`. */
export function onEndSpans(send: () => Promise<void>): void {
  lastExport = send
}

/** Sends the spans that wait, and ends the export. Resolves after 2 s in any case, and at once without an SDK. */
export async function endSpans(clock: Clock): Promise<void> {
  if (lastExport === undefined) return
  const late = Promise.withResolvers<undefined>()
  const timer = clock.timer(LAST_EXPORT_MS, () => late.resolve(undefined))
  // a failed export was logged
  const sent = lastExport().catch(() => {})
  await Promise.race([sent, late.promise])
  timer.cancel()
}

async function inSpan<T>(span: Span, parent: Context, work: () => Promise<T>): Promise<T> {
  try {
    return await context.with(trace.setSpan(parent, span), work)
  } catch (thrown) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: reasonOf(thrown) })
    throw thrown
  } finally {
    span.end()
  }
}

function distinct(traces: readonly (RecordedTrace | undefined)[]): readonly RecordedTrace[] {
  const bySpan = new Map<string, RecordedTrace>()
  for (const one of traces) if (one !== undefined) bySpan.set(one.spanId, one)
  return [...bySpan.values()]
}
