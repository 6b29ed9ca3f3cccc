/**
 * Checks the main functions of the service: sends a few requests of each kind once, and checks every response.
 *
 *   k6 run -e BASE_URL=http://127.0.0.1:18080 loadtests/smoke.ts
 *
 * Settings: BASE_URL, COLLECTION, TOKEN, TIMEOUT (lib/settings.ts).
 */
import { check } from 'k6'
import http from 'k6/http'
import type { Options } from 'k6/options'
import { type PlannedItem, shotAt } from '../src/drill/sources/k6/plan.ts'
import type { Form } from '../src/drill/spelling.ts'
import { begin } from './lib/load.ts'
import { headersOf, itemsUrl, send } from './lib/send.ts'
import { settingsOf } from './lib/settings.ts'

const settings = settingsOf(__ENV, { rate: 2, durationMs: 1_000 })

export const options: Options = {
  scenarios: { smoke: { executor: 'shared-iterations', exec: 'smoke', vus: 1, iterations: 1 } },
  thresholds: { checks: ['rate==1'] },
  setupTimeout: '90s',
}

export function setup(): void {
  begin(settings)
}

/** Returns content of this run that was never sent before. */
function contents(): readonly PlannedItem[] {
  const items = new Map<string, PlannedItem>()
  for (let iteration = 0; items.size < 12; iteration += 2) {
    for (const item of shotAt(settings.run, iteration).items) items.set(item.key, item)
  }
  return Array.from(items.values())
}

export function smoke(): void {
  const all = contents()
  twice('single', all.slice(0, 1))
  twice('batch', all.slice(1, 6))
  twice('stream', all.slice(6, 12))
  spelledOtherwise()
  refused()
}

function twice(form: Form, items: readonly PlannedItem[]): void {
  const first = send(settings, { form, items }, { op: `smoke.${form}.1` })
  const again = send(settings, { form, items }, { op: `smoke.${form}.2` })
  check(first, { [`${form}: created`]: (answer) => answer.items.every(([kind]) => kind === 'created') })
  check(again, {
    [`${form}: then a duplicate`]: (answer) => answer.items.every(([kind]) => kind === 'duplicate'),
    [`${form}: of the same id`]: (answer) => answer.items.every(([, id], at) => id === first.items[at]?.[1]),
  })
  const [, id = ''] = first.items[0] ?? []
  const response = http.get(`${itemsUrl(settings)}/${id}`, { headers: headersOf(settings), tags: { name: 'item' } })
  check(response, { [`${form}: can be read`]: ({ status }) => status === 200 })
}

function spelledOtherwise(): void {
  const items = [
    { key: 'a', text: JSON.stringify({ run: settings.run, total: 9.5 }) },
    { key: 'b', text: `{ "total": 9.50, "run": ${JSON.stringify(settings.run)} }` },
  ]
  const answer = send(settings, { form: 'batch', items }, { op: 'smoke.spelled' })
  check(answer, {
    'spelled otherwise: once': ({ items: [one, two] }) => one?.[0] === 'created' && two?.[0] === 'duplicate',
  })
}

function refused(): void {
  const items = [{ key: 'bad', text: '{"a":1,"a":2}' }]
  const answer = send(settings, { form: 'single', items }, { op: 'smoke.refused' })
  check(answer, { 'a member named twice: refused': ({ code }) => code === 'JSON_DUPLICATE_MEMBER' })
}
