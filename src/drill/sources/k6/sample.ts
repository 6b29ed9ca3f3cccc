/**
 * Defines the samples that the load test writes to k6's JSON output: points of one metric whose metadata hold the raw
 * request and response. They are metadata and not tags, because each tag value would be a separate time series. Runs in
 * k6 as well as in Node.
 */
import type { Form } from '../../spelling.ts'

/** The metric: a counter that only carries the metadata. */
export const METRIC = 'ingot_load'

/** The first sample of a run, from setup. */
export interface Began {
  readonly event: 'began'
  readonly run: string
  readonly collection: string
  /** Maximum number of iterations that the run begins, by plan.ts. */
  readonly iterations: string
}

/** Written before the request is sent. */
export interface RequestSample {
  readonly event: 'asked'
  readonly op: string
  /** Number of the iteration in plan.ts, if it is one of the plan. */
  readonly iteration?: string
  readonly process: string
  readonly to: string
  readonly form: Form
  /** JSON: for each item its key and the SHA-256 of its text in hex. */
  readonly items: string
}

/** Written when the request has ended with any outcome. */
export interface ResponseSample {
  readonly event: 'told'
  readonly op: string
  /** HTTP status, 0 without one. */
  readonly status: string
  /** k6's own error code and message: https://grafana.com/docs/k6/latest/javascript-api/error-codes/ */
  readonly errorCode: string
  readonly error: string
  /** Code and detail of a problem body. */
  readonly code: string
  readonly detail: string
  /** JSON: an ItemTold for each item. */
  readonly items: string
}

/** The last sample of a run, from teardown. Without it the run was truncated. */
export interface Ended {
  readonly event: 'ended'
}

export type Sample = Began | RequestSample | ResponseSample | Ended

export type ItemResult =
  | readonly ['created' | 'duplicate', string]
  /** Refused or failed by itself, with its code. */
  | readonly ['failed', string]
  /** Nothing was said of it. */
  | readonly ['untold']

/** Content of a response: the problem's code and detail, and one result per item. */
export interface ResponseContent {
  readonly code: string
  readonly detail: string
  readonly items: readonly ItemResult[]
}

/** Returns the results of `count` items from a response. Complete results count even if the rest is truncated. */
export function readResponse(form: Form, body: string, count: number): ResponseContent {
  const results = (form === 'stream' ? body.split('\n') : [body]).map(parsed)
  const last = results.filter((result) => result !== undefined).pop()
  const problem = field(last, 'error') ?? last
  const byIndex = resultsByIndex(form, results)
  const items = Array.from({ length: count }, (_, index) => itemResult(byIndex.get(index)))
  return { code: textOf(field(problem, 'code')), detail: textOf(field(problem, 'detail')), items }
}

/** Maps the index of each item to its result. */
function resultsByIndex(form: Form, results: readonly unknown[]): ReadonlyMap<number, unknown> {
  if (form === 'single') return new Map([[0, results[0]]])
  const of = form === 'batch' ? listOf(field(results[0], 'items')) : results
  return new Map(of.map((result) => [indexOf(result), result]))
}

/**
 * Returns the index of the item, from 0. Line numbers start at 1. The last line of a stream that ended early belongs to
 * no item.
 */
function indexOf(result: unknown): number {
  const [index, line] = [field(result, 'index'), field(result, 'line')]
  if (typeof index === 'number') return index
  return typeof line === 'number' ? line - 1 : -1
}

function itemResult(result: unknown): ItemResult {
  const [status, id, code] = [field(result, 'status'), field(result, 'id'), field(field(result, 'error'), 'code')]
  if ((status === 'created' || status === 'duplicate') && typeof id === 'string') return [status, id]
  return typeof code === 'string' ? ['failed', code] : ['untold']
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // truncated or not JSON: it has no result
    return undefined
  }
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, MAX_TEXT) : ''
}

const MAX_TEXT = 200

function field(of: unknown, name: string): unknown {
  return typeof of === 'object' && of !== null ? Object.entries(of).find(([key]) => key === name)?.[1] : undefined
}
