/** Sends one request and records it. Sends nothing twice. */
import { sha256 } from 'k6/crypto'
import exec from 'k6/execution'
import http, { type RefinedResponse } from 'k6/http'
import type { Shot } from '../../src/drill/sources/k6/plan.ts'
import { type ResponseContent, readResponse } from '../../src/drill/sources/k6/sample.ts'
import { record } from './record.ts'
import type { Settings } from './settings.ts'

const MEDIA = { single: 'application/json', batch: 'application/json', stream: 'application/x-ndjson' }

export interface Named {
  /** Unique id in the run. */
  readonly op: string
  readonly iteration?: number
}

export function send(settings: Settings, shot: Shot, { op, iteration }: Named): ResponseContent {
  // the final phase is not part of the load and does not count for availability
  const user = iteration === undefined ? 'settle' : 'vu'
  const { form, items } = shot
  record({
    event: 'asked',
    op,
    ...(iteration === undefined ? {} : { iteration: String(iteration) }),
    process: `${user}-${exec.vu.idInTest}`,
    to: settings.baseUrl,
    form,
    items: JSON.stringify(items.map(({ key, text }) => [key, sha256(text, 'hex')])),
  })
  const response = post(settings, shot)
  const answer = readResponse(form, typeof response.body === 'string' ? response.body : '', items.length)
  record({
    event: 'told',
    op,
    status: String(response.status),
    errorCode: String(response.error_code),
    error: response.error,
    code: answer.code,
    detail: answer.detail,
    items: JSON.stringify(answer.items),
  })
  return answer
}

export function itemsUrl({ baseUrl, collection }: Settings): string {
  return `${baseUrl}/v1/collections/${collection}/items`
}

export function headersOf({ token }: Settings): Record<string, string> {
  return token === '' ? {} : { authorization: `Bearer ${token}` }
}

function post(settings: Settings, { form, items }: Shot): RefinedResponse<'text'> {
  const texts = items.map(({ text }) => text)
  const body = form === 'batch' ? `[${texts.join(',')}]` : texts.join('\n')
  const name = `items ${form}`
  return http.post(`${itemsUrl(settings)}${form === 'batch' ? ':batch' : ''}`, body, {
    headers: { ...headersOf(settings), 'content-type': MEDIA[form] },
    timeout: settings.timeoutMs,
    responseType: 'text',
    tags: { name },
  })
}
