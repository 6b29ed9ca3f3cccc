import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Event } from '../../history.ts'
import { createConverter, responsesSince, type Timed } from './convert.ts'
import { shotAt } from './plan.ts'
import { type ItemResult, METRIC, type Sample } from './sample.ts'

const ITERATIONS = 12

function lineOf(sample: Sample, ms: number): string {
  const time = new Date(1_000_000_000_000 + ms).toISOString()
  return JSON.stringify({ metric: METRIC, type: 'Point', data: { time, value: 1, tags: {}, metadata: sample } })
}

function noise(metric: string, value = 1): string {
  return JSON.stringify({ metric, type: 'Point', data: { time: '2001-09-09T01:46:40Z', value, tags: {} } })
}

const BEGAN: Sample = { event: 'began', run: 'r', collection: 'c', iterations: String(ITERATIONS) }

function asked(iteration: number): Sample {
  const { form, items } = shotAt('r', iteration)
  const pairs = items.map(({ key, text }) => [key, createHash('sha256').update(text).digest('hex')])
  const encoded = JSON.stringify(pairs)
  return {
    event: 'asked',
    op: `r.${iteration}`,
    iteration: `${iteration}`,
    process: 'vu-1',
    to: 'u',
    form,
    items: encoded,
  }
}

const FINE = { status: '200', errorCode: '0', error: '', code: '', detail: '' }

function responseSample(iteration: number, more: Partial<typeof FINE>, item: ItemResult): Sample {
  const items = JSON.stringify(shotAt('r', iteration).items.map(() => item))
  return { event: 'told', op: `r.${iteration}`, ...FINE, ...more, items }
}

function convert(lines: readonly string[]): readonly Timed[] {
  const converter = createConverter()
  return [...lines.flatMap((line, index) => converter.line(line, index + 1)), ...converter.end()]
}

/** Possible responses and the outcome that each of them implies. */
const REPLIES: readonly (readonly [Partial<typeof FINE>, ItemResult, Event['type'], string | undefined])[] = [
  [{ status: '201' }, ['created', 'j1-a'], 'ok', undefined],
  [{}, ['duplicate', 'j1-a'], 'ok', undefined],
  [{}, ['failed', 'STORE_UNAVAILABLE'], 'info', 'item STORE_UNAVAILABLE'],
  [{}, ['failed', 'JSON_INVALID'], 'fail', 'item JSON_INVALID'],
  [{}, ['failed', 'NEVER_HEARD_OF'], 'info', 'item NEVER_HEARD_OF'],
  [{ code: 'SHUTTING_DOWN' }, ['untold'], 'info', 'cut 200 SHUTTING_DOWN'],
  [{ status: '429', errorCode: '1429', code: 'OVERLOADED' }, ['untold'], 'fail', '429 OVERLOADED'],
  [{ status: '409', errorCode: '1409', code: 'IN_FLIGHT' }, ['untold'], 'info', '409 IN_FLIGHT'],
  [{ status: '503', errorCode: '1503', code: 'SHUTTING_DOWN' }, ['untold'], 'info', '503 SHUTTING_DOWN'],
  [
    { status: '503', errorCode: '1503', code: 'LOCK_BACKEND_UNAVAILABLE', detail: 'READONLY You cannot write' },
    ['untold'],
    'info',
    '503 LOCK_BACKEND_UNAVAILABLE READONLY',
  ],
  [{ status: '502', errorCode: '1502' }, ['untold'], 'info', '502'],
  [{ status: '0', errorCode: '1050', error: 'request timeout' }, ['untold'], 'info', 'timeout'],
  [{ status: '0', errorCode: '1220' }, ['untold'], 'info', 'reset'],
  [{ status: '0', errorCode: '1212' }, ['untold'], 'fail', 'refused'],
  [{ status: '0', errorCode: '1211' }, ['untold'], 'fail', 'dial timeout'],
  [{ status: '0', errorCode: '1000', error: 'EOF' }, ['untold'], 'info', 'closed'],
  [{ status: '0', errorCode: '1310', error: 'odd' }, ['untold'], 'info', 'k6 1310 odd'],
  // the status came, and the body did not
  [{ status: '201', errorCode: '1050' }, ['untold'], 'info', 'timeout'],
]

test.each(REPLIES)('%j with %j is %s', (more, item, type, error) => {
  const entries = convert([lineOf(BEGAN, 0), lineOf(asked(0), 1), lineOf(responseSample(0, more, item), 2)])
  const completions = entries.filter((entry) => entry.f === 'save' && entry.type !== 'invoke')
  expect(completions.length).toBe(shotAt('r', 0).items.length)
  for (const completion of completions) {
    expect(completion.type).toBe(type)
    expect(completion.error).toBe(error)
  }
})

interface EndedOperation {
  readonly iteration: number
  readonly reply: number
}

/** A run's lines in a causal order: every response after its request, k6's own metrics anywhere. */
const run = fc
  .array(fc.record({ reply: fc.nat(REPLIES.length - 1), answers: fc.boolean(), noise: fc.boolean() }), {
    maxLength: ITERATIONS,
  })
  .chain((shots) =>
    fc
      .shuffledSubarray([...shots.keys(), ...shots.keys()], { minLength: 2 * shots.length })
      .map((order) => ({ shots, order })),
  )
  .map(({ shots, order }) => {
    const lines = [lineOf(BEGAN, 0)]
    const begun = new Set<number>()
    const ended: EndedOperation[] = []
    for (const iteration of order) {
      const shot = shots[iteration]
      if (shot?.noise) lines.push(noise('http_req_duration'), noise('iterations'))
      if (!begun.has(iteration)) lines.push(lineOf(asked(iteration), lines.length))
      else if (shot?.answers) {
        const [more, item] = REPLIES[shot.reply] ?? [{}, ['untold']]
        lines.push(lineOf(responseSample(iteration, more, item), lines.length))
        ended.push({ iteration, reply: shot.reply })
      }
      begun.add(iteration)
    }
    return { lines, begun, ended }
  })

const count = (entries: readonly Timed[], type: string): number =>
  entries.filter((entry) => entry.f === 'save' && entry.type === type).length
const itemsOf = (iterations: Iterable<number>): number =>
  [...iterations].reduce((sum, iteration) => sum + shotAt('r', iteration).items.length, 0)

test('in a complete run every sent item has one invocation, and every response one completion', () => {
  fc.assert(
    fc.property(run, ({ lines, begun, ended }) => {
      const entries = convert([...lines, lineOf({ event: 'ended' }, lines.length)])
      expect(count(entries, 'invoke')).toBe(itemsOf(begun))
      for (const type of ['ok', 'fail', 'info'] as const) {
        const expected = ended.filter(({ reply }) => REPLIES[reply]?.[2] === type)
        expect(count(entries, type)).toBe(itemsOf(expected.map(({ iteration }) => iteration)))
      }
      expect(entries.at(-1)).toMatchObject({ f: 'phase', key: 'load-ended' })
    }),
  )
})

test('in a run truncated anywhere every item that may have been sent has an invocation, and no response is invented', () => {
  fc.assert(
    fc.property(run, fc.nat(), ({ lines }, at) => {
      const kept = lines.slice(0, 1 + (at % lines.length))
      const entries = convert(kept)
      const keys = new Set(entries.filter(({ type }) => type === 'invoke').map(({ key }) => key))
      for (let iteration = 0; iteration < ITERATIONS; iteration++) {
        for (const { key } of shotAt('r', iteration).items) expect(keys).toContain(key)
      }
      const answered = kept.filter((line) => line.includes('"told"')).length
      const ends = entries.filter(({ f, type }) => f === 'save' && type !== 'invoke')
      expect(new Set(ends.map(({ op }) => op.replace(/\.\d+$/, ''))).size).toBe(answered)
      expect(entries.at(-1)).toMatchObject({ key: 'load-cut' })
      expect(new Set(entries.map(({ op, type }) => `${op} ${type}`)).size).toBe(entries.length)
    }),
  )
})

test('arrivals that were not made are counted', () => {
  const lines = [lineOf(BEGAN, 0), noise('dropped_iterations', 3), noise('dropped_iterations', 2)]
  expect(convert([...lines, lineOf({ event: 'ended' }, 9)]).at(-1)).toMatchObject({ key: 'load-ended', value: '5' })
})

test('times keep their digits beyond the millisecond', () => {
  const line = lineOf(BEGAN, 0).replace('.000Z', '.123456789Z')
  expect(createConverter().line(line, 1)[0]).toMatchObject({ tMono: 1_000_000_000_123.457, tWall: 1_000_000_000_123 })
})

test.each([
  [[], /no run of loadtests\/ingest.ts begins/],
  [[lineOf(asked(0), 0)], /begins before line 1/],
  [[lineOf(BEGAN, 0), lineOf(BEGAN, 1)], /line 2 begins a second run/],
  [[lineOf(BEGAN, 0), lineOf(responseSample(0, {}, ['untold']), 1)], /line 2 ends operation r.0, which never began/],
  [[lineOf(BEGAN, 0), lineOf(asked(0), 1), lineOf(asked(0), 2)], /line 3 begins operation r.0 again/],
  [[lineOf(BEGAN, 0), lineOf(asked(0), 1).slice(0, -9)], /line 2 is not JSON/],
  [[lineOf({ ...BEGAN, iterations: 'x' }, 0)], /line 1 does not match loadtests/],
  [[lineOf(BEGAN, 0).replace('"began"', '"bagan"')], /line 1 has the unknown event "bagan"/],
  [[lineOf(BEGAN, 0).replace(/"time":"[^"]*"/, '"time":"today"')], /line 1 has the time "today"/],
])('%j is refused', (lines, message) => {
  expect(() => convert(lines)).toThrow(message)
})

test('the last failure is the time of the last response with a failed item, also between cut lines', () => {
  const good = responseSample(0, {}, ['created', 'id'])
  const refused = responseSample(1, { status: '503', code: 'LOCK_BREAKER_OPEN' }, ['untold'])
  const cutOff = responseSample(2, {}, ['untold'])
  const failed = responseSample(3, {}, ['failed', 'LOCK_BREAKER_OPEN'])
  const whole = [lineOf(good, 1), lineOf(refused, 2), lineOf(good, 3)]
  const last = lineOf(refused, 9)
  const at = (ms: number): number => 1_000_000_000_000 + ms
  expect(responsesSince([lineOf(good, 1), noise('http_reqs')], at(1))).toEqual({ requests: 1, failed: 0, refused: 0 })
  expect(responsesSince([last.slice(40), ...whole, last.slice(0, -9)], at(2))).toEqual({
    requests: 2,
    failed: 1,
    refused: 1,
  })
  expect(responsesSince([...whole, lineOf(cutOff, 4)], at(3))).toEqual({ requests: 2, failed: 1, refused: 0 })
  expect(responsesSince([...whole, lineOf(failed, 5), lineOf(asked(4), 6)], at(1))).toEqual({
    requests: 4,
    failed: 2,
    refused: 1,
  })
})
