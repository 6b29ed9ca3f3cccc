/**
 * The memory of a real service while clients send the input that costs most memory. Linux: peaks are read from /proc.
 */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../testing/folder.ts'
import { ask, jsonOf, openStream } from '../testing/http/requests.ts'
import { type Service, startService } from '../testing/service.ts'

const MIB = 1_024 * 1_024

/**
 * Allowed growth in MiB. A pod of the chart has 512 MiB, and an idle service takes about 160. Buffers of refused bodies
 * count until V8 next collects them, so the growth varies: 130 to 205 in ten runs.
 */
const MAX_GROWTH_MIB = 300
/** Without the budget, the same input takes the memory of a pod. */
const UNBOUNDED = { INGOT_MAX_RECEIVING_BYTES: String(2 ** 30) }

/** Returns the largest resident size of the process so far, in MiB. */
async function peakMib(service: Service): Promise<number> {
  const status = await readFile(`/proc/${service.pid}/status`, 'utf8')
  const [, kib = ''] = /^VmHWM:\s+(\d+) kB/m.exec(status) ?? []
  return Number(kib) / 1_024
}

test('refuses a batch of millions of tiny elements, for little more memory than its bytes', async () => {
  await using service = await startService({ data: temporaryFolder() })
  const url = `${service.url}/v1/collections/things/items:batch`
  const before = await peakMib(service)
  for (const mib of [6, 15]) {
    const body = Buffer.alloc(mib * MIB, '1,')
    body.write('[1', 0)
    body.write('1]', body.length - 2)
    const answer = await ask(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    expect([answer.status, jsonOf(answer)]).toMatchObject([413, { code: 'CONTENT_TOO_LARGE', limit: 10_000 }])
  }
  const growth = (await peakMib(service)) - before
  expect(growth).toBeLessThan(MAX_GROWTH_MIB)
})

/** Opens a request that sends `bytes` of its body and never ends. Resolves when they are sent, or a response came. */
function sendUnfinished(url: string, type: string, bytes: Buffer): { sent: Promise<unknown>; end: () => void } {
  const { request, response } = openStream(url, { 'content-type': type })
  const written = new Promise<void>((resolve) => {
    request.on('error', () => resolve()).on('close', () => resolve())
    request.write(bytes, () => resolve())
  })
  response.then((answer) => answer.resume()).catch(() => {})
  return { sent: written, end: () => request.destroy() }
}

/** Returns the growth of a service's peak memory while so many clients send bodies that do not end. */
async function growthWith(
  clients: number,
  type: string,
  bytes: Buffer,
  env: Readonly<Record<string, string>> = {},
): Promise<number> {
  await using service = await startService({ data: temporaryFolder(), env })
  const before = await peakMib(service)
  const url = `${service.url}/v1/collections/things/items${type === 'application/json' ? ':batch' : ''}`
  const requests = Array.from({ length: clients }, () => sendUnfinished(url, type, bytes))
  await Promise.all(requests.map(({ sent }) => sent))
  // the service has read as much as it will hold, and is still healthy
  expect((await ask(`${service.url}/livez`)).status).toBe(200)
  const growth = (await peakMib(service)) - before
  for (const { end } of requests) end()
  return growth
}

test('forty unfinished batches stay within the budget, and exceed it without a limit', async () => {
  const batch = Buffer.alloc(15 * MIB, '1,')
  batch.write('[', 0)
  expect(await growthWith(40, 'application/json', batch)).toBeLessThan(MAX_GROWTH_MIB)
  expect(await growthWith(40, 'application/json', batch, UNBOUNDED)).toBeGreaterThan(MAX_GROWTH_MIB)
})

test('four hundred streams with an unfinished line stay within the budget, and exceed it without a limit', async () => {
  const line = Buffer.alloc(MIB - 1, 'x')
  expect(await growthWith(400, 'application/x-ndjson', line)).toBeLessThan(MAX_GROWTH_MIB)
  expect(await growthWith(400, 'application/x-ndjson', line, UNBOUNDED)).toBeGreaterThan(MAX_GROWTH_MIB)
})
