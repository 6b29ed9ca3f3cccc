/**
 * What the load test leaves in k6's JSON output: points of one metric whose metadata say what was sent and what came
 * back, as it was, without judging it. Metadata, not tags, because each tag value would be a time series of its own.
 * Runs in k6 as well as in Node.
 */
import type { Form } from '../../spelling.ts'

/** The metric, a counter that counts nothing of interest. */
export const METRIC = 'ingot_load'

/** The first sample of a run, from setup. */
export interface Began {
  readonly event: 'began'
  readonly run: string
  readonly collection: string
  /** Iterations that the run begins at most, by plan.ts. */
  readonly iterations: string
}

/** Left before the request is sent. */
export interface Asked {
  readonly event: 'asked'
  readonly op: string
  /** Its number when it is an iteration of plan.ts. */
  readonly iteration?: string
  readonly process: string
  readonly to: string
  readonly form: Form
  /** JSON: for each item its key and the SHA-256 of its text in hex. */
  readonly items: string
}

/** Left when the request has ended, however it did. */
export interface Told {
  readonly event: 'told'
  readonly op: string
  /** HTTP status, 0 without one. */
  readonly status: string
  /** k6's own code and words for a failure: https://grafana.com/docs/k6/latest/javascript-api/error-codes/ */
  readonly errorCode: string
  readonly error: string
  /** Code and detail of a problem body. */
  readonly code: string
  readonly detail: string
  /** JSON: an ItemTold for each item. */
  readonly items: string
}

/** The last sample of a run, from teardown: without it the run was cut. */
export interface Ended {
  readonly event: 'ended'
}

export type Sample = Began | Asked | Told | Ended

export type ItemTold =
  | readonly ['created' | 'duplicate', string]
  /** Refused or failed by itself, with its code. */
  | readonly ['failed', string]
  /** Nothing was said of it. */
  | readonly ['untold']

export interface Answer {
  readonly code: string
  readonly detail: string
  readonly items: readonly ItemTold[]
}

/** What an answer says of `count` items: all of what is whole, whatever follows it. */
export function answerOf(form: Form, body: string, count: number): Answer {
  const answers = (form === 'stream' ? body.split('\n') : [body]).map(parsed)
  const last = answers.filter((answer) => answer !== undefined).pop()
  const problem = field(last, 'error') ?? last
  const said = saidOf(form, answers)
  const items = Array.from({ length: count }, (_, index) => told(said.get(index)))
  return { code: textOf(field(problem, 'code')), detail: textOf(field(problem, 'detail')), items }
}

/** Answers by the index of their item. */
function saidOf(form: Form, answers: readonly unknown[]): ReadonlyMap<number, unknown> {
  if (form === 'single') return new Map([[0, answers[0]]])
  const of = form === 'batch' ? listOf(field(answers[0], 'items')) : answers
  return new Map(of.map((answer) => [indexOf(answer), answer]))
}

/** A line counts from 1. The last line of a stream that ended early is of no item. */
function indexOf(answer: unknown): number {
  const [index, line] = [field(answer, 'index'), field(answer, 'line')]
  if (typeof index === 'number') return index
  return typeof line === 'number' ? line - 1 : -1
}

function told(answer: unknown): ItemTold {
  const [status, id, code] = [field(answer, 'status'), field(answer, 'id'), field(field(answer, 'error'), 'code')]
  if ((status === 'created' || status === 'duplicate') && typeof id === 'string') return [status, id]
  return typeof code === 'string' ? ['failed', code] : ['untold']
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // cut short, or no JSON at all: it says nothing
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
