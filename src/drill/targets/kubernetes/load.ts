/** Starts the load in the cluster, stops it, and sends all its items again. */

import type { Kubectl } from '../../../kube/kubectl.ts'
import { ROOT } from '../../checkout.ts'
import { responsesSince } from '../../sources/k6/convert.ts'
import { loadManifests } from '../../sources/k6/job.ts'
import { METRIC } from '../../sources/k6/sample.ts'
import { readScripts } from '../../sources/k6/scripts.ts'
import type { Load, LoadOptions } from '../home.ts'
import { type Beside, startBeside } from './recorder-job.ts'

/** Where and how a load runs as a Job. */
export interface LoadJobOptions extends LoadOptions {
  /** Release under load. */
  readonly release: string
  /** Image of ingot, which converts the output of k6. */
  readonly image: string
  /** Default: grafana/k6:1.8.1. */
  readonly k6Image?: string | undefined
  /** Host and port of the service in the cluster. */
  readonly service: string
  /** Node of the Job. Default: any. */
  readonly node?: string | undefined
  /** Secret with a token, and its key. Default: none. */
  readonly token?: { readonly name: string; readonly key: string } | undefined
}

export const K6_IMAGE = 'grafana/k6:1.8.1'
/** Longest load by default, in milliseconds. k6 ends then even if it is not stopped. */
const MAX_MS = 1_800_000
/** The end of k6's output that holds some seconds of it, with room to spare. */
const RECENT_BYTES = 4_000_000
/** Seconds of further iterations that the settling sends in addition to those of the load. */
const MARGIN_S = 5

/** Resolves when k6 has begun to send. */
export async function startLoad(kubectl: Kubectl, options: LoadJobOptions, signal: AbortSignal): Promise<Load> {
  const maxS = Math.ceil((options.maxMs ?? MAX_MS) / 1_000)
  const load = await startPart(kubectl, options, { part: 'load', seconds: maxS }, signal)
  let settling: Beside | undefined
  const missing = 'k6 has not begun'
  await load.recorded({ container: 'k6', file: '/out/k6.json', text: '"began"', missing }, signal)
  const beganMs = Date.now()
  return {
    async since(fromMs, inner) {
      const script = `tail -c ${RECENT_BYTES} /out/k6.json | grep ${METRIC}; true`
      return responsesSince((await load.shell('k6', script, inner)).split('\n'), fromMs)
    },
    async stop(inner) {
      await load.shell('k6', 'kill -TERM 1', inner)
      return load.fetch(inner)
    },
    async settle(inner) {
      const sent = Math.ceil((Date.now() - beganMs) / 1_000) + MARGIN_S
      settling = await startPart(kubectl, options, { part: 'settle', seconds: Math.min(sent, maxS) }, inner)
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

function startPart(kubectl: Kubectl, options: LoadJobOptions, part: Part, signal: AbortSignal): Promise<Beside> {
  const { run, collection, release, rate, timeoutMs, image, k6Image = K6_IMAGE, service, node, token } = options
  const name = `${part.part}-${run}`
  const manifests = loadManifests({
    name,
    namespace: kubectl.namespace,
    release,
    image,
    k6Image,
    script: 'ingest',
    env: {
      RUN: run,
      COLLECTION: collection,
      RATE: String(rate),
      DURATION: `${part.seconds}s`,
      TIMEOUT: `${timeoutMs}ms`,
      PARTS: part.part,
      BASE_URL: `http://${service}`,
    },
    files: readScripts(ROOT),
    ...(node === undefined ? {} : { nodeSelector: { 'kubernetes.io/hostname': node } }),
    ...(token === undefined ? {} : { tokenSecret: token.name, tokenKey: token.key }),
  })
  return startBeside(kubectl, name, manifests, signal)
}
