/**
 * Starts Jobs beside the service that record a history: the load, its settling, and the canary. The container `history`
 * of such a Job is Ready when the history is complete, and the Job ends when it was fetched.
 */

import type { Kubectl } from '../../../kube/kubectl.ts'
import { untilSeen } from '../../../kube/until.ts'
import { type Event, parseHistory } from '../../history.ts'
import type { Manifest } from '../../sources/job.ts'

export interface Beside extends AsyncDisposable {
  /** Runs a script in one of the containers. */
  shell(container: string, script: string, signal: AbortSignal): Promise<string>
  /** Waits until a file of a container has a line with this text. `missing` names what has not happened yet. */
  recorded(line: RecordedLine, signal: AbortSignal): Promise<void>
  /** Waits for the history, resolves with its events, and ends the Job. */
  fetch(signal: AbortSignal): Promise<readonly Event[]>
}

/** A line that a recorder writes once it works. */
export interface RecordedLine {
  readonly container: string
  readonly file: string
  /** Without single quotes. */
  readonly text: string
  readonly missing: string
}

const POD_MS = 90_000
const BEGIN_MS = 120_000
/**
 * Longest time until a history is complete, in milliseconds. Settling sends all items again, perhaps on a busy machine.
 */
const HISTORY_MS = 300_000
const FETCH_MS = 120_000
const REMOVE_MS = 90_000

/** Resolves when its pod has been scheduled. */
export async function startBeside(
  kubectl: Kubectl,
  name: string,
  manifests: readonly Manifest[],
  signal: AbortSignal,
): Promise<Beside> {
  await kubectl.apply(manifests, { signal })
  const pod = await podOf(kubectl, name, signal)
  const shell: Beside['shell'] = (container, script, inner) =>
    kubectl.exec(`${pod}/${container}`, ['sh', '-c', script], { signal: inner, timeoutMs: FETCH_MS })
  return {
    shell,
    async recorded({ container, file, text, missing }, inner) {
      await untilSeen(
        async () => {
          const lines = await shell(container, `grep -c '${text}' ${file}; true`, inner)
          return Number(lines) > 0 ? { value: true } : { missing }
        },
        BEGIN_MS,
        inner,
      )
    },
    async fetch(inner) {
      const seconds = HISTORY_MS / 1_000
      const ready = ['wait', `pod/${pod}`, '--for=condition=Ready', `--timeout=${seconds}s`]
      await kubectl.run(ready, { signal: inner, timeoutMs: HISTORY_MS + 5_000 })
      const bytes = Number(await shell('history', 'wc -c </out/history.ndjson', inner))
      const text = await shell('history', 'cat /out/history.ndjson', inner)
      const got = Buffer.byteLength(text)
      if (got !== bytes) throw new Error(`the history of ${name} is incomplete: got ${got} of ${bytes} bytes`)
      await shell('history', 'touch /out/fetched', inner)
      return parseHistory(text, name).events
    },
    async [Symbol.asyncDispose]() {
      const args = ['delete', 'job,configmap', name, '--ignore-not-found', '--cascade=foreground', '--wait']
      await kubectl.run(args, { signal: AbortSignal.timeout(REMOVE_MS), timeoutMs: REMOVE_MS })
    },
  }
}

function podOf(kubectl: Kubectl, job: string, signal: AbortSignal): Promise<string> {
  const args = ['get', 'pods', '--selector', `job-name=${job}`, '--output', 'jsonpath={.items[*].metadata.name}']
  return untilSeen(
    async () => {
      const name = (await kubectl.run(args, { signal })).trim()
      return name === '' ? { missing: `job ${job} has no pod` } : { value: name }
    },
    POD_MS,
    signal,
  )
}
