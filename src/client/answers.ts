/** Parses the service's response to a stream, line by line. Refuses any unknown line, because counts must be exact. */
import { ERRORS, IngotError } from '../errors/error.ts'
import { printableLine } from '../std/printable.ts'

export interface Counts {
  readonly created: number
  readonly duplicate: number
  readonly failed: number
}

export interface LineFailure {
  /** Physical line of the stream, from 1. */
  readonly line: number
  readonly code: string
  readonly detail: string
}

export type Answer =
  | { readonly kind: 'item'; readonly line: number; readonly status: 'created' | 'duplicate' }
  | { readonly kind: 'failed'; readonly failure: LineFailure }
  | { readonly kind: 'summary'; readonly counts: Counts }
  /** The service ended the stream early. */
  | { readonly kind: 'ended'; readonly code: string; readonly detail: string }

/** Returns the parsed line. Throws IngotError REMOTE_REFUSED if it is not a line of such a response. */
export function parseAnswer(text: string): Answer {
  const answer = record(parseJson(text))
  if (answer === undefined) throw notAnAnswer(text)
  const { line, status, error, summary } = answer
  return itemAnswer(line, status) ?? errorAnswer(line, record(error)) ?? summaryAnswer(record(summary)) ?? fail(text)
}

function itemAnswer(line: unknown, status: unknown): Answer | undefined {
  if (!isCount(line) || (status !== 'created' && status !== 'duplicate')) return undefined
  return { kind: 'item', line, status }
}

function errorAnswer(line: unknown, error: JsonRecord | undefined): Answer | undefined {
  if (error === undefined || typeof error['code'] !== 'string') return undefined
  const code = printableLine(error['code'])
  const detail = textOf(error['detail'])
  return isCount(line) ? { kind: 'failed', failure: { line, code, detail } } : { kind: 'ended', code, detail }
}

function summaryAnswer(summary: JsonRecord | undefined): Answer | undefined {
  if (summary === undefined) return undefined
  const { created, duplicate, failed } = summary
  if (!isCount(created) || !isCount(duplicate) || !isCount(failed)) return undefined
  return { kind: 'summary', counts: { created, duplicate, failed } }
}

/** Returns true if sending the same again may succeed. An unknown code counts as final. */
export function isRetryable(code: string): boolean {
  const kinds: Readonly<Record<string, { readonly retryable: boolean }>> = ERRORS
  return Object.hasOwn(ERRORS, code) && kinds[code]?.retryable === true
}

export interface Problem {
  readonly code: string
  /** What is wrong. */
  readonly detail: string
  /** The remedy. */
  readonly title: string
}

/** Returns the fields of an application/problem+json body, or the beginning of any other body as the detail. */
export function parseProblem(body: string): Problem {
  const { code, detail, title } = record(parseJson(body)) ?? {}
  if (typeof code === 'string') return { code: printableLine(code), detail: textOf(detail), title: textOf(title) }
  return { code: '', detail: printableLine(body.slice(0, 200).trim()), title: '' }
}

/** Returns text of the service, which may contain anything, as one printable line. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? printableLine(value) : ''
}

type JsonRecord = Readonly<Record<string, unknown>>

function record(value: unknown): JsonRecord | undefined {
  return typeof value === 'object' && value !== null ? { ...value } : undefined
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // the caller reports text that is not JSON
    return undefined
  }
}

function fail(text: string): never {
  throw notAnAnswer(text)
}

function notAnAnswer(text: string): IngotError {
  return new IngotError(
    'REMOTE_REFUSED',
    `not a response of ingot: ${printableLine(JSON.stringify(text.slice(0, 200)))}`,
  )
}
