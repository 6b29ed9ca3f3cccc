/** What the tests of Redis on a cluster have in common: a release to hurt, what a fault cost its writer, and when all agree. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect } from 'vitest'
import {
  eventually,
  inPod,
  install,
  podsOf,
  prepareNamespace,
  remove,
  reportSince,
  roleOf,
  startWriter,
  theMaster,
  type Values,
  verifySince,
} from './cluster.ts'

export interface Figure {
  readonly mode: string
  readonly fault: string
  readonly stallMs: number
  readonly failed: number
  readonly sent: number
  readonly lost: number
}

const figures: Figure[] = []

/** Does it under the writes, waits until they go on, and reads everything acknowledged so far back. */
export async function suffer(mode: string, fault: string, hurt: () => Promise<void>, quietMs = 5_000): Promise<Figure> {
  const since = Date.now()
  await hurt()
  await eventually('writes go on', 120, async () => (await reportSince(Date.now() - 2_000)).acknowledged > 20)
  await sleep(quietMs)
  await eventually('writes still go on', 120, async () => (await reportSince(Date.now() - 2_000)).acknowledged > 20)
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

export function release(mode: string, values: Values): void {
  beforeAll(async () => {
    await prepareNamespace()
    await remove()
    await install({ 'redis.mode': mode, ...values })
    await startWriter()
  }, 600_000)
  afterAll(process.env['KIND_KEEP'] === undefined ? remove : () => undefined, 300_000)
}

/** Writes what this file's tests measured to out/chart-kind/NAME.json. */
export function keepFigures(name: string): void {
  afterAll(() => {
    mkdirSync('out/chart-kind', { recursive: true })
    writeFileSync(`out/chart-kind/${name}.json`, `${JSON.stringify(figures, null, 2)}\n`)
  })
}

/** Every Sentinel names the one pod that says that it is master, and all the others follow it. */
export async function allAgree(sentinels = 3): Promise<boolean> {
  const master = await theMaster()
  const named = await Promise.all((await podsOf('sentinel')).map((pod) => inPod(pod, 'master_of localhost')))
  const replicas = (await podsOf('redis')).filter((pod) => pod !== master)
  const roles = await Promise.all(replicas.map((pod) => roleOf(pod)))
  return (
    named.length === sentinels &&
    named.every((name) => name.startsWith(`${master}.`)) &&
    roles.every((r) => r === 'slave')
  )
}
