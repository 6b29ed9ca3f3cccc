/** What the tests of Redis on a cluster share: a release, the cost of a fault for its writer, and its health. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect } from 'vitest'
import { eventually, install, prepareNamespace, remove, sentinelProblems, type Values } from './cluster.ts'
import { reportSince, startWriter, verifySince } from './programs.ts'

export interface Figure {
  readonly mode: string
  readonly fault: string
  readonly stallMs: number
  readonly failed: number
  readonly sent: number
  readonly lost: number
}

const figures: Figure[] = []

/** Injects a fault while the writer writes, waits until writes succeed again, and reads all acknowledged writes back. */
export async function measureFault(
  mode: string,
  fault: string,
  inject: () => Promise<void>,
  quietMs = 5_000,
): Promise<Figure> {
  const since = Date.now()
  await inject()
  await eventually('writes succeed', 120, async () => (await reportSince(Date.now() - 2_000)).acknowledged > 20)
  await sleep(quietMs)
  await eventually('writes still succeed', 120, async () => (await reportSince(Date.now() - 2_000)).acknowledged > 20)
  const { sent, acknowledged, stallMs, failed, writable } = await reportSince(since)
  const { lost } = await verifySince(since)
  const figure = { mode, fault, stallMs, failed: sent - acknowledged, sent, lost: lost.length }
  figures.push(figure)
  process.stdout.write(`${JSON.stringify({ ...figure, writable, failed })}\n`)
  expect(sent).toBeGreaterThan(0)
  expect(writable).toBe(1)
  expect(lost).toEqual([])
  return figure
}

/** Installs a release with a writer before the tests of a suite, and removes it after them. */
export function release(mode: string, values: Values): void {
  beforeAll(async () => {
    await prepareNamespace()
    await remove()
    await install({ 'redis.mode': mode, ...values })
    await startWriter()
  }, 600_000)
  afterAll(process.env['KIND_KEEP'] === undefined ? remove : () => undefined, 300_000)
}

/** Writes the figures of this file's tests to out/chart-kind/NAME.json. */
export function keepFigures(name: string): void {
  afterAll(() => {
    mkdirSync('out/chart-kind', { recursive: true })
    writeFileSync(`out/chart-kind/${name}.json`, `${JSON.stringify(figures, null, 2)}\n`)
  })
}

/** Returns true if there is one primary, all Sentinels name it, and all other servers replicate it. */
export async function isSentinelHealthy(sentinels = 3): Promise<boolean> {
  return (await sentinelProblems(sentinels)).length === 0
}
