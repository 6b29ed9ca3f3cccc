/** Starts the load in the cluster, stops it, and sends all its items again. */

import type { Kubectl } from '../../../kube/kubectl.ts'
import { untilSeen } from '../../../kube/until.ts'
import { ROOT } from '../../checkout.ts'
import type { Event } from '../../history.ts'
import { lastFailureMs } from '../../sources/k6/convert.ts'
import { loadManifests } from '../../sources/k6/job.ts'
import { METRIC } from '../../sources/k6/sample.ts'
import { readScripts } from '../../sources/k6/scripts.ts'
import { RELEASE } from './installation.ts'
import { type Beside, startBeside } from './recorder-job.ts'
import { imageOf, TAGS } from './values.ts'

/** Settings of a load. */
export interface LoadOptions {
  /** Name of the run. Contents and the collection contain it. */
  readonly run: string
  /** Iterations per second. */
  readonly rate: number
  /** Timeout of a request, in milliseconds. */
  readonly timeoutMs: number
  readonly node: string
}

/** A running load. */
export interface Load extends AsyncDisposable {
  /** Returns true if a response of the last `ms` milliseconds failed. */
  failedWithin(ms: number, signal: AbortSignal): Promise<boolean>
  /** Stops the load. Resolves with its requests and responses. */
  stop(signal: AbortSignal): Promise<readonly Event[]>
  /** Sends every item again until it is acknowledged. Resolves with these requests and responses. */
  settle(signal: AbortSignal): Promise<readonly Event[]>
}

const K6_IMAGE = 'grafana/k6:1.8.1'
/** Longest load, in seconds. k6 ends then even if it is not stopped. */
const MAX_S = 1_800
const BEGIN_MS = 120_000
/** The end of k6's output that holds some seconds of it, with room to spare. */
const RECENT_BYTES = 4_000_000
/** Seconds of further iterations that the settling sends in addition to those of the load. */
const MARGIN_S = 5

/** Resolves when k6 has begun to send. */
export async function startLoad(kubectl: Kubectl, options: LoadOptions, signal: AbortSignal): Promise<Load> {
  const load = await startPart(kubectl, options, { part: 'load', seconds: MAX_S }, signal)
  let settling: Beside | undefined
  await untilSeen(
    async () => {
      const began = await load.shell('k6', 'grep -c \'"began"\' /out/k6.json; true', signal)
      return Number(began) > 0 ? { value: true } : { missing: 'k6 has not begun' }
    },
    BEGIN_MS,
    signal,
  )
  const beganMs = Date.now()
  return {
    async failedWithin(ms, inner) {
      const fromMs = Date.now() - ms
      const recent = `tail -c ${RECENT_BYTES} /out/k6.json | grep ${METRIC}; true`
      const failedMs = lastFailureMs((await load.shell('k6', recent, inner)).split('\n'))
      return failedMs !== undefined && failedMs >= fromMs
    },
    async stop(inner) {
      await load.shell('k6', 'kill -TERM 1', inner)
      return load.fetch(inner)
    },
    async settle(inner) {
      const sent = Math.ceil((Date.now() - beganMs) / 1_000) + MARGIN_S
      settling = await startPart(kubectl, options, { part: 'settle', seconds: Math.min(sent, MAX_S) }, inner)
      return settling.fetch(inner)
    },
    async [Symbol.asyncDispose]() {
      await settling?.[Symbol.asyncDispose]()
      await load[Symbol.asyncDispose]()
    },
  }
}

interface Part {
  readonly part: 'load' | 'settle'
  readonly seconds: number
}

function startPart(kubectl: Kubectl, options: LoadOptions, part: Part, signal: AbortSignal): Promise<Beside> {
  const { run, rate, timeoutMs, node } = options
  const name = `${part.part}-${run}`
  const manifests = loadManifests({
    name,
    namespace: kubectl.namespace,
    release: RELEASE,
    image: imageOf(TAGS.shipped),
    k6Image: K6_IMAGE,
    script: 'ingest',
    env: {
      RUN: run,
      COLLECTION: run,
      RATE: String(rate),
      DURATION: `${part.seconds}s`,
      TIMEOUT: `${timeoutMs}ms`,
      PARTS: part.part,
      BASE_URL: `http://${RELEASE}`,
    },
    files: readScripts(ROOT),
    nodeSelector: { 'kubernetes.io/hostname': node },
  })
  return startBeside(kubectl, name, manifests, signal)
}
