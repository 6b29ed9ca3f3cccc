import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { createScope } from '../../std/scope.ts'
import { silentLog } from '../../telemetry/log.ts'
import { createFakeClock } from '../../testing/clock.ts'
import { temporaryFolder } from '../../testing/folder.ts'
import { decideGate, type GatedSchedule } from './decide.ts'
import { type GateSource, handleGate } from './handle.ts'
import { serveGates } from './serve.ts'

const HOUR_MS = 3_600_000
const NOW_MS = Date.parse('2026-03-02T12:00:00Z')
const hoursAgo = (hours: number): string => new Date(NOW_MS - hours * HOUR_MS).toISOString()

const PASSED: GatedSchedule = {
  release: 'ingot',
  freshnessMs: 168 * HOUR_MS,
  lastPassed: { name: 'weekly-29', at: hoursAgo(3) },
  lastVerdict: 'Pass',
  lastDrill: 'weekly-29',
  next: '2026-03-09T02:00:00Z',
  active: undefined,
}
const NEVER: GatedSchedule = { ...PASSED, lastPassed: undefined, lastVerdict: undefined, lastDrill: undefined }

const sourceOf = (found: ReturnType<GateSource['find']>): GateSource => ({ find: () => found })
const ask = (url: string, found: ReturnType<GateSource['find']> = PASSED, method = 'GET') =>
  handleGate({ method, url }, sourceOf(found), NOW_MS)

describe('a decision', () => {
  test.each<readonly [string, Partial<GatedSchedule>, number, string]>([
    ['a pass within maxAge', {}, 4, 'Passed'],
    ['a pass at the edge of maxAge', {}, 3, 'Passed'],
    ['a pass that is older', {}, 2, 'TooOld'],
    ['no finished drill', NEVER, 4, 'NeverPassed'],
    ['a failed drill after the pass', { lastVerdict: 'Fail', lastDrill: 'weekly-30' }, 4, 'LastFailed'],
    ['an inconclusive drill after the pass', { lastVerdict: 'Inconclusive' }, 4, 'Passed'],
    ['an aborted drill after the pass', { lastVerdict: 'Aborted' }, 4, 'Passed'],
    ['only an inconclusive drill', { ...NEVER, lastVerdict: 'Inconclusive' }, 4, 'NeverPassed'],
    ['a time that cannot be read', { lastPassed: { name: 'x', at: 'yesterday' } }, 4, 'NeverPassed'],
    ['a pass in the future, by another clock', { lastPassed: { name: 'x', at: hoursAgo(-1) } }, 1, 'Passed'],
  ])('about %s', (_, change, hours, reason) => {
    const decision = decideGate({ ...PASSED, ...change }, hours * HOUR_MS, NOW_MS)
    expect(decision).toMatchObject({ reason, passed: reason === 'Passed' })
  })
})

describe('a response', () => {
  test.each(['GET', 'POST'])('to %s is 200 after a pass, with its drill', (method) => {
    const { status, body } = ask('/gates/shop/weekly?maxAge=24h', PASSED, method)
    expect(status).toBe(200)
    expect(body).toMatchObject({
      passed: true,
      reason: 'Passed',
      message: 'the drill weekly-29 passed 3h ago',
      schedule: 'shop/weekly',
      maxAgeSeconds: 86_400,
      lastPassed: { name: 'weekly-29' },
    })
  })

  test('is 403 with the reason and what to do, if none passed in time', () => {
    const { status, body } = ask('/gates/shop/weekly?maxAge=2h')
    expect(status).toBe(403)
    expect(body).toMatchObject({
      passed: false,
      reason: 'TooOld',
      message: 'the drill weekly-29 passed 3h ago, which is longer than 2h',
      lastVerdict: 'Pass',
      todo: ['kubectl ingot drill run FILE -n shop', 'the next drill of the schedule starts at 2026-03-09T02:00:00Z'],
    })
    const failed = ask('/gates/shop/weekly', {
      ...PASSED,
      lastVerdict: 'Fail',
      lastDrill: 'weekly-30',
      active: 'weekly-31',
    })
    expect(failed).toMatchObject({
      status: 403,
      body: {
        todo: [
          'kubectl ingot drill report weekly-30 -n shop',
          'kubectl ingot drill watch weekly-31 -n shop',
          'the next drill of the schedule starts at 2026-03-09T02:00:00Z',
        ],
      },
    })
  })

  test('without maxAge uses the freshness of the schedule', () => {
    expect(ask('/gates/shop/weekly', { ...PASSED, freshnessMs: 2 * HOUR_MS }).status).toBe(403)
    expect(ask('/gates/shop/weekly', { ...PASSED, freshnessMs: 4 * HOUR_MS }).status).toBe(200)
  })

  test.each([
    'maxAge=',
    'maxAge=24',
    'maxAge=-1h',
    'maxAge=0s',
    'maxAge=9999d',
    'maxAge=1h&maxAge=2h',
    'maxage=1h',
    'maxAge=1h&x=1',
    'maxAge=1e9h',
  ])('to the query %s is 400, and says what to write', (query) => {
    expect(ask(`/gates/shop/weekly?${query}`)).toMatchObject({ status: 400, body: { passed: false } })
  })

  test.each([
    '/',
    '/gates',
    '/gates/shop',
    '/gates/shop/',
    '/gates/shop/weekly/more',
    '/gates/SHOP/weekly',
    '/gates/shop/%2e%2e',
    '/gates/shop/a%2Fb',
    '//gates/shop/weekly',
    '/metrics',
    'http://',
  ])('to the path %s is 404', (url) => {
    expect(ask(url)).toMatchObject({ status: 404, body: { passed: false, reason: 'NoSuchPath' } })
  })

  test.each(['PUT', 'DELETE', 'HEAD', 'PATCH', 'OPTIONS', ''])('to the method "%s" is 405', (method) => {
    expect(ask('/gates/shop/weekly', PASSED, method)).toMatchObject({ status: 405, headers: { allow: 'GET, POST' } })
  })

  test('is 404 for an unknown schedule, and 503 before the cache is filled', () => {
    expect(ask('/gates/shop/other', 'unknown')).toMatchObject({ status: 404, body: { reason: 'NoSuchSchedule' } })
    expect(ask('/gates/shop/weekly', 'unsynced')).toMatchObject({ status: 503, headers: { 'retry-after': '5' } })
  })
})

describe('over HTTP', () => {
  const scope = createScope()
  afterEach(() => scope.close())
  const folder = temporaryFolder()

  async function serve(tokenFile?: string, source = sourceOf(PASSED)): Promise<string> {
    const clock = { ...createFakeClock(), wallMs: () => NOW_MS }
    const listen = { host: '127.0.0.1', port: 0 }
    const served = await serveGates({ listen, tokenFile, source, clock, log: silentLog })
    scope.defer(() => served[Symbol.asyncDispose]())
    return `${served.url}/gates/shop/weekly?maxAge=24h`
  }

  const statusWith = async (url: string, token?: string): Promise<number> => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    return (await fetch(url, { headers })).status
  }

  test('a webhook with a body gets JSON that is not cached', async () => {
    const url = await serve()
    const response = await fetch(url, { method: 'POST', body: JSON.stringify({ name: 'ingot', phase: 'Progressing' }) })
    expect(response.status).toBe(200)
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(await response.json()).toMatchObject({ passed: true, reason: 'Passed' })
  })

  test('a token is needed if there is a file, and its replacement is noticed', async () => {
    const file = join(folder, 'token')
    writeFileSync(file, 'first\n')
    const url = await serve(file)
    expect(await statusWith(url)).toBe(401)
    expect(await statusWith(url, 'firs')).toBe(401)
    expect(await statusWith(url, 'first ')).toBe(200)
    expect(await statusWith(url, 'first')).toBe(200)
    writeFileSync(`${file}.new`, 'first\nsecond\n')
    renameSync(`${file}.new`, file)
    expect([await statusWith(url, 'first'), await statusWith(url, 'second')]).toEqual([200, 200])
    writeFileSync(file, 'second')
    expect([await statusWith(url, 'first'), await statusWith(url, 'second')]).toEqual([401, 200])
  })

  test('an empty file opens nothing, and a missing one neither', async () => {
    const file = join(folder, 'vanishing')
    writeFileSync(file, 'token')
    const url = await serve(file)
    writeFileSync(file, '\n \n')
    expect([await statusWith(url, 'token'), await statusWith(url)]).toEqual([503, 503])
    rmSync(file)
    expect(await statusWith(url, 'token')).toBe(503)
  })

  test('a file without a token, and an address in use, end the start', async () => {
    const empty = join(folder, 'empty')
    writeFileSync(empty, '')
    await expect(serve(empty)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    await expect(serve(join(folder, 'missing'))).rejects.toThrow('INGOT_GATES_TOKEN_FILE cannot be read')
    const port = Number(new URL(await serve()).port)
    const second = serveGates({
      listen: { host: '127.0.0.1', port },
      tokenFile: undefined,
      source: sourceOf(PASSED),
      clock: createFakeClock(),
      log: silentLog,
    })
    await expect(second).rejects.toThrow('INGOT_GATES_LISTEN cannot be used')
  })

  test('a token is needed before anything is told about schedules', async () => {
    const file = join(folder, 'first')
    writeFileSync(file, 'token')
    const url = await serve(file, sourceOf('unknown'))
    expect(await statusWith(url)).toBe(401)
    expect(await statusWith(url, 'token')).toBe(404)
  })
})
