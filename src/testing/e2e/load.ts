/** The load in the cluster: begun, stopped, sent again, and its histories brought here. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Event, parseHistory } from '../../drill/history.ts'
import type { Kubectl } from './kubectl.ts'
import { type LoadOptions, loadManifest, scriptsOf } from './load-job.ts'
import { until } from './stage.ts'

export interface Load extends AsyncDisposable {
  /** Ends the sending; resolves with what was sent and heard. */
  stop(signal: AbortSignal): Promise<readonly Event[]>
  /** Sends everything once more, until it is answered; resolves with what was sent and heard by that. */
  settle(signal: AbortSignal): Promise<readonly Event[]>
}

const ROOT = join(import.meta.dirname, '..', '..', '..')
const BEGIN_MS = 120_000
const CONVERT_MS = 180_000
const REMOVE_MS = 60_000
/** The settling sends what would have been sent within so much more time. */
const MARGIN_S = 5

/** Resolves when k6 sends. */
export async function startLoad(kubectl: Kubectl, options: LoadOptions, signal: AbortSignal): Promise<Load> {
  const name = `load-${options.run}`
  const scripts = scriptsOf((path) => readFileSync(join(ROOT, path), 'utf8'))
  const manifest = JSON.stringify(loadManifest(name, scripts, options))
  await kubectl.run(['apply', '--filename', '-'], { signal, input: manifest })
  const pod = await podOf(kubectl, name, signal)
  const shell = (script: string, inner: AbortSignal, container = 'k6'): Promise<string> =>
    kubectl.exec(`${pod}/${container}`, ['sh', '-c', script], { signal: inner })
  await until(
    async (inner) => {
      const begun = await shell('grep -c ingot_load /out/load.json; cat /out/load.exit; true', inner)
      if (/^\d+\n\d+/.test(begun)) throw new Error(`k6 ended: ${await shell('cat /out/load.log', inner)}`)
      return Number(begun) > 1 ? { value: true } : { missing: await shell('tail -c 500 /out/load.log', inner) }
    },
    BEGIN_MS,
    signal,
  )
  const beganMs = Date.now()

  async function history(part: 'load' | 'settle', inner: AbortSignal): Promise<readonly Event[]> {
    const bytes = await until(
      async (now) => {
        const said = await shell(`wc -c </out/${part}.ndjson; cat /out/${part}.failed; true`, now, 'history')
        const [size] = /^\d+/.exec(said) ?? []
        return size === undefined ? { missing: said.trim() || `no history of the ${part}` } : { value: Number(size) }
      },
      CONVERT_MS,
      inner,
    )
    const text = await kubectl.exec(`${pod}/history`, ['cat', `/out/${part}.ndjson`], {
      signal: inner,
      timeoutMs: 120_000,
    })
    if (Buffer.byteLength(text) !== bytes)
      throw new Error(`the history of the ${part} came incomplete: ${Buffer.byteLength(text)} of ${bytes} bytes`)
    return parseHistory(text, `${part} of ${options.run}`).events
  }

  return {
    async stop(inner) {
      await shell('touch /out/load.stop', inner)
      return history('load', inner)
    },
    async settle(inner) {
      const sent = Math.ceil((Date.now() - beganMs) / 1_000) + MARGIN_S
      await shell(
        `echo ${Math.min(sent, options.maxSeconds)}s >/out/settle.part && mv /out/settle.part /out/settle.begin`,
        inner,
      )
      return history('settle', inner)
    },
    async [Symbol.asyncDispose]() {
      const args = ['delete', 'job,configmap', name, '--ignore-not-found', '--cascade=foreground', '--wait']
      const ending = AbortSignal.timeout(REMOVE_MS)
      await shell('touch /out/end', ending).catch(() => {})
      await kubectl.run(args, { signal: ending, timeoutMs: REMOVE_MS })
    },
  }
}

async function podOf(kubectl: Kubectl, job: string, signal: AbortSignal): Promise<string> {
  const args = ['wait', 'pod', '--selector', `job-name=${job}`, '--for=condition=Ready', '--timeout=90s']
  return until(
    async (inner) => {
      await kubectl.run(args, { signal: inner, timeoutMs: BEGIN_MS })
      const names = await kubectl.run(
        ['get', 'pods', '--selector', `job-name=${job}`, '--output', 'jsonpath={.items[*].metadata.name}'],
        { signal: inner },
      )
      return { value: names.trim() }
    },
    BEGIN_MS,
    signal,
  )
}
