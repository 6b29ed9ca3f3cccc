/** Installs the chart for a drill, upgrades it, and removes it with all its resources. */
import { join } from 'node:path'
import type { Kubectl } from '../../../kube/kubectl.ts'
import type { Wanted } from '../../../kube/pods.ts'
import { createProgram, type Program } from '../../../std/run-program.ts'
import { ROOT } from '../../checkout.ts'
import type { Setup } from '../../plan.ts'
import { type Choices, REPLICAS, TAGS, valuesOf, wantedPods } from './values.ts'

export const RELEASE = 'ingot'
export const NAMESPACE = 'ingot-e2e'

const CHART = join(ROOT, 'charts', 'ingot')
const INSTALL_MS = 360_000
const REMOVE_MS = 180_000

/** Changes of an upgrade. */
export interface Change {
  readonly tag?: string
  readonly replicas?: number
}

/** An installed release. */
export interface Installation {
  /** Returns the number of pods that each component of the present release must have. */
  wanted(): Wanted
  /** Resolves when the rollout is complete. A member that is absent does not change. */
  upgrade(change: Change, signal: AbortSignal): Promise<void>
}

export interface InstallOptions {
  readonly kubectl: Kubectl
  readonly setup: Setup
  /** Node of the store, which is never frozen. */
  readonly anchor: string
}

/** Installs into a new namespace with restricted pod security. Resolves when all pods are ready. */
export async function install(options: InstallOptions, signal: AbortSignal): Promise<Installation> {
  const { kubectl, setup, anchor } = options
  const helm = createProgram('helm', 'install helm 4 or 3, and put it on the PATH', ['--kube-context', kubectl.context])
  let now: Required<Change> = { tag: TAGS.shipped, replicas: REPLICAS }
  await uninstall(kubectl)
  signal.throwIfAborted()
  await kubectl.run(['create', 'namespace', NAMESPACE], { signal })
  const label = 'pod-security.kubernetes.io/enforce=restricted'
  await kubectl.run(['label', 'namespace', NAMESPACE, label], { signal })
  await apply(helm, { setup, anchor, ...now }, signal)
  return {
    wanted: () => wantedPods(setup, now.replicas),
    async upgrade(change, inner) {
      now = { ...now, ...change }
      await apply(helm, { setup, anchor, ...now }, inner)
    },
  }
}

async function apply(helm: Program, choices: Choices, signal: AbortSignal): Promise<void> {
  const where = ['upgrade', '--install', RELEASE, CHART, '--namespace', NAMESPACE]
  const how = ['--values', '-', '--wait', '--timeout', `${INSTALL_MS / 1_000}s`]
  const input = JSON.stringify(valuesOf(choices))
  await helm([...where, ...how], { signal, timeoutMs: INSTALL_MS + 10_000, input })
}

/** Deletes the namespace with its Secrets and volumes. Has a deadline of its own, so it also runs after an abort. */
export async function uninstall(kubectl: Kubectl): Promise<void> {
  const signal = AbortSignal.timeout(REMOVE_MS)
  const options = { signal, timeoutMs: REMOVE_MS + 10_000 }
  const args = ['delete', 'namespace', NAMESPACE, '--ignore-not-found']
  await kubectl.run([...args, '--wait=false'], options)
  // no graceful shutdown is needed, and a namespace that is being deleted gets no new pods
  await kubectl.run(['delete', 'pods', '--all', '--grace-period=0', '--force'], { ...options, allow: [1] })
  await kubectl.run([...args, '--wait', `--timeout=${REMOVE_MS / 1_000}s`], options)
}
