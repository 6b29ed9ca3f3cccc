/** Sends single items and batches, and enters their responses into the ledger. */
import type { Agent } from 'node:http'
import { bytesOf, type Entry, JSON_MEDIA } from '../../../drill/workloads/content.ts'
import { type Answer, ask, jsonOf } from '../../http/requests.ts'
import type { Ledger } from './ledger.ts'

export const COLLECTION_PATH = '/v1/collections/crash/items'

/** A request that can be sent again unchanged. */
export interface PlannedRequest {
  readonly kind: 'single' | 'batch'
  readonly entries: readonly Entry[]
  readonly idempotencyKey?: string
  readonly number: number
}

/** Part of a response that a replay must repeat. */
export interface RepeatableResponse {
  readonly status: number
  readonly body: string
}

interface ItemResult {
  readonly id: string
  readonly status: 'created' | 'duplicate'
  readonly firstSeen: string
}

/** Sends once. Rejects if the connection breaks; the outcome is then unknown. */
export function send(url: string, planned: PlannedRequest, agent: Agent): Promise<Answer> {
  const [first] = planned.entries
  if (first === undefined) throw new RangeError('an empty request')
  const media = planned.kind === 'batch' ? JSON_MEDIA : first.content.media
  const key = planned.idempotencyKey
  return ask(`${url}${COLLECTION_PATH}${planned.kind === 'batch' ? ':batch' : ''}`, {
    method: 'POST',
    headers: { 'content-type': media, ...(key === undefined ? {} : { 'idempotency-key': key }) },
    body: planned.kind === 'batch' ? arrayOf(planned.entries) : bytesOf(first),
    agent,
  })
}

function arrayOf(entries: readonly Entry[]): Buffer {
  const parts = entries.flatMap((entry, at) => [Buffer.from(at === 0 ? '[' : ', '), bytesOf(entry)])
  return Buffer.concat([...parts, Buffer.from(']')])
}

/** Returns true for the status 200 or 201. */
export function isAccepted({ status }: Answer): boolean {
  return status === 200 || status === 201
}

/** Enters an accepted response into the ledger, item by item. */
export function enter(ledger: Ledger, planned: PlannedRequest, sentAt: number, response: Answer): void {
  const replayed = response.headers['idempotency-replayed'] === 'true'
  const items =
    planned.kind === 'batch' ? jsonOf<{ items: ItemResult[] }>(response).items : [jsonOf<ItemResult>(response)]
  if (items.length !== planned.entries.length) {
    ledger.violate(`request ${planned.number} of ${planned.entries.length} items has a response for ${items.length}`)
  }
  for (const [at, entry] of planned.entries.entries()) {
    const item = items[at]
    if (item === undefined || (item.status !== 'created' && item.status !== 'duplicate')) {
      ledger.violate(`request ${planned.number}, item ${at}: ${JSON.stringify(item)}`)
      continue
    }
    const request = { name: `${planned.number}.${at}`, sentAt }
    ledger.acknowledge({ entry, id: item.id, status: item.status, firstSeen: item.firstSeen, request, replayed })
  }
}
