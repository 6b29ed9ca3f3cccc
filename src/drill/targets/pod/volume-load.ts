/** The load of the runner's pod: k6 runs in the container beside the runner, see k6-sidecar.ts. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { systemClock } from '../../../std/clock.ts'
import { untilTrue } from '../../../std/until.ts'
import type { Entry, Event } from '../../history.ts'
import { responsesSince } from '../../sources/k6/convert.ts'
import { convertFile } from '../../sources/k6/file.ts'
import type { Load, LoadOptions } from '../home.ts'
import { filesOf, SCRIPTS } from './k6-sidecar.ts'
import type { Volume } from './volume.ts'

export interface VolumeLoadOptions extends LoadOptions {
  readonly volume: Volume
  /** Address of the service. */
  readonly baseUrl: string
  /** Bearer token. Default: none. */
  readonly token?: string | undefined
  /** Texts of the scripts by their paths in the project. */
  readonly scripts: Readonly<Record<string, string>>
}

const MAX_MS = 1_800_000
const BEGIN_MS = 120_000
/** k6 waits for the requests in progress. */
const STOP_MS = 60_000
/** Settling sends all items again, perhaps on a busy machine. */
const SETTLE_MS = 300_000
const RECENT_BYTES = 4_000_000
const MARGIN_S = 5

/** Resolves when k6 has begun to send. */
export async function startVolumeLoad(options: VolumeLoadOptions, signal: AbortSignal): Promise<Load> {
  const { volume, maxMs = MAX_MS } = options
  await copyScripts(volume, options.scripts)
  const files = filesOf('load')
  await volume.write(files.env, envOf(options, 'load', Math.ceil(maxMs / 1_000)))
  const began = async (): Promise<boolean> => {
    const [exit, output = ''] = [await volume.read(files.exit), await volume.read(files.output)]
    if (exit !== undefined)
      throw new Error(`k6 ended with ${exit.trim()}: ${(await volume.read(files.log))?.slice(-500)}`)
    return output.includes('"began"')
  }
  await untilTrue('the first request of k6', began, { withinMs: BEGIN_MS, everyMs: 200, signal })
  const beganMs = systemClock.monotonicMs()
  return {
    async since(fromMs) {
      return responsesSince(await volume.tail(files.output, RECENT_BYTES), fromMs)
    },
    async stop(inner) {
      await volume.write(files.stop, '')
      await volume.awaited(files.exit, STOP_MS, inner)
      return historyOf(volume, files.output, inner)
    },
    async settle(inner) {
      const seconds = Math.ceil((systemClock.monotonicMs() - beganMs) / 1_000) + MARGIN_S
      const settling = filesOf('settle')
      await volume.write(settling.env, envOf(options, 'settle', Math.min(seconds, Math.ceil(maxMs / 1_000))))
      await volume.awaited(settling.exit, SETTLE_MS, inner)
      return historyOf(volume, settling.output, inner)
    },
    async [Symbol.asyncDispose]() {
      await volume.write(files.stop, '')
      await volume.write(filesOf('settle').stop, '')
    },
  }
}

async function copyScripts(volume: Volume, scripts: VolumeLoadOptions['scripts']): Promise<void> {
  for (const [name, text] of Object.entries(scripts)) {
    const path = volume.path(`${SCRIPTS}/${name}`)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text)
  }
}

function envOf(
  { run, collection, rate, timeoutMs, baseUrl, token = '' }: VolumeLoadOptions,
  part: string,
  seconds: number,
) {
  const settings = {
    RUN: run,
    COLLECTION: collection,
    RATE: String(rate),
    DURATION: `${seconds}s`,
    TIMEOUT: `${timeoutMs}ms`,
    PARTS: part,
    BASE_URL: baseUrl,
    TOKEN: token,
    HOME: '/tmp',
    K6_NO_USAGE_REPORT: 'true',
  }
  return Object.entries(settings)
    .map(([name, value]) => `${name}='${value.replaceAll("'", `'\\''`)}'\n`)
    .join('')
}

async function historyOf(volume: Volume, name: string, signal: AbortSignal): Promise<readonly Event[]> {
  const events: Event[] = []
  const record = (entry: Entry): Event => {
    const event = { seq: events.length + 1, tMono: 0, tWall: 0, ...entry }
    events.push(event)
    return event
  }
  await convertFile(volume.path(name), { record }, signal)
  return events
}
