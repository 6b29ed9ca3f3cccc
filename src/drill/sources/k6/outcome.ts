/**
 * Derives the outcome of an item from a k6 response. Few failures are certain: a connection that was never made, and a
 * refusal by its status (refusal.ts). Every other failure is unknown: the item may be saved already, or later.
 */
import { ERRORS } from '../../../errors/error.ts'
import type { Entry } from '../../history.ts'
import { redisErrorIn } from '../../redis-error.ts'
import { isRefusal } from '../../refusal.ts'
import type { ItemResult, ResponseSample } from './sample.ts'

export type Outcome = Pick<Entry, 'type' | 'result' | 'id' | 'error'>

/** Codes of k6 below this number are transport errors. 1400 to 1599 repeat the HTTP status. */
const FIRST_OF_STATUS = 1_400
const LAST_OF_STATUS = 1_599

interface Failure {
  readonly word: string
  /** True if nothing had been sent. */
  readonly certain?: true
}

/** Source: https://grafana.com/docs/k6/latest/javascript-api/error-codes/ */
const TRANSPORT: Readonly<Record<number, Failure>> = {
  1050: { word: 'timeout' },
  1100: { word: 'dns' },
  1101: { word: 'dns', certain: true },
  1201: { word: 'broken pipe' },
  1210: { word: 'dial', certain: true },
  1211: { word: 'dial timeout', certain: true },
  1212: { word: 'refused', certain: true },
  1213: { word: 'dial', certain: true },
  1220: { word: 'reset' },
}

/** Returns the outcome of one item, given the response and the item's result in it. */
export function outcomeOf(response: Omit<ResponseSample, 'event' | 'op' | 'items'>, item: ItemResult): Outcome {
  const [kind] = item
  if (kind === 'created' || kind === 'duplicate') return { type: 'ok', result: kind, id: item[1] }
  if (kind === 'failed') return failedItem(item[1])
  const code = Number(response.errorCode)
  const transport = code !== 0 && (code < FIRST_OF_STATUS || code > LAST_OF_STATUS)
  return transport ? transportFailure(code, response.error) : httpFailure(response)
}

function failedItem(code: string): Outcome {
  const status = Object.hasOwn(ERRORS, code) ? statusOf(code) : 0
  return { type: isRefusal(status) ? 'fail' : 'info', error: `item ${code}` }
}

function statusOf(code: string): number {
  return Object.entries(ERRORS).find(([name]) => name === code)?.[1].status ?? 0
}

function transportFailure(code: number, error: string): Outcome {
  const known = TRANSPORT[code]
  if (known !== undefined) return { type: known.certain === true ? 'fail' : 'info', error: known.word }
  return { type: 'info', error: /\bEOF\b/.test(error) ? 'closed' : `k6 ${code} ${error}`.trim() }
}

function httpFailure({ status, code, detail }: Omit<ResponseSample, 'event' | 'op' | 'items'>): Outcome {
  // the detail names an error of a server behind the service
  const behind = redisErrorIn(detail) ?? ''
  const error = [status, code, behind].filter((word) => word !== '').join(' ')
  // a 200 without a result for the item: a stream that was cut off
  const type = isRefusal(Number(status)) ? 'fail' : 'info'
  return { type, error: status === '200' ? `cut ${error}` : error }
}
