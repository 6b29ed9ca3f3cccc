/** The load of the runner's pod with real k6, a real shell and a real service. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { untilTrue } from '../../../std/until.ts'
import { temporaryFolder } from '../../../testing/folder.ts'
import { findK6 } from '../../../testing/k6.ts'
import { present } from '../../../testing/present.ts'
import { endProcesses } from '../../../testing/process.ts'
import { startService } from '../../../testing/service.ts'
import { phasesOf } from '../../checkers/operations.ts'
import { ROOT } from '../../checkout.ts'
import { readScripts } from '../../sources/k6/scripts.ts'
import { filesOf, K6_SIDECAR, KILLED } from './k6-sidecar.ts'
import { createVolume } from './volume.ts'
import { startVolumeLoad } from './volume-load.ts'

endProcesses()
const root = temporaryFolder()
const k6 = findK6()
const { signal } = new AbortController()
const SOON = { withinMs: 30_000, everyMs: 50 }

let sidecar: ChildProcess | undefined

function startSidecar(folder: string): ChildProcess {
  // a group of its own, so that k6 can be killed with it
  sidecar = spawn('sh', ['-c', K6_SIDECAR], { env: { ...process.env, OUT: folder }, stdio: 'ignore', detached: true })
  return sidecar
}

async function end(child: ChildProcess | undefined): Promise<void> {
  if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  process.kill(-child.pid, 'SIGKILL')
  await ended
}

afterEach(() => end(sidecar))

async function begin() {
  const folder = mkdtempSync(join(root, 'out-'))
  const service = await startService({ data: join(folder, 'data') })
  startSidecar(folder)
  const volume = createVolume(folder)
  const settings = { run: 'r', collection: 'drill', rate: 10, timeoutMs: 2_000, maxMs: 60_000 }
  const load = await startVolumeLoad({ ...settings, volume, baseUrl: service.url, scripts: readScripts(ROOT) }, signal)
  return { folder, service, volume, load }
}

test('k6 begins, reports its responses, ends on request, and settles', async ({ skip }) => {
  present(k6, skip)
  const { load, service, volume } = await begin()
  await untilTrue('responses', async () => (await load.since(0, signal)).requests > 10, SOON)
  expect(await load.since(0, signal)).toMatchObject({ failed: 0, refused: 0 })
  const sent = await load.stop(signal)
  expect(phasesOf(sent, 'load-ended')).toHaveLength(1)
  const again = await load.settle(signal)
  const results = again.filter(({ type }) => type === 'ok').map(({ result }) => result)
  expect(results.length).toBeGreaterThan(10)
  expect((await volume.read(filesOf('settle').exit))?.trim()).toBe('0')
  await service.stop()
}, 120_000)

test('a container that is killed and restarts does not begin again, and its record has no end', async ({ skip }) => {
  present(k6, skip)
  const { folder, load, service, volume } = await begin()
  await untilTrue('responses', async () => (await load.since(0, signal)).requests > 4, SOON)
  await end(sidecar)
  startSidecar(folder)
  expect(await volume.awaited(filesOf('load').exit, 30_000, signal)).toBe(KILLED)
  const sent = await load.stop(signal)
  expect(phasesOf(sent, 'load-began')).toHaveLength(1)
  expect(phasesOf(sent, 'load-cut')).toHaveLength(1)
  await service.stop()
}, 120_000)
