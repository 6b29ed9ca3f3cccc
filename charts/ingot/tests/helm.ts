/** Runs helm for the tests: renders a set of values, or returns the message that refuses it. */
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'

export const CHART = join(import.meta.dirname, '..')

export interface Meta {
  readonly name: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

/** A rule of a Role or ClusterRole. */
export interface Rule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly verbs: readonly string[]
}

/** Fields that the tests read. A field that an object lacks is undefined, and fails the test that needs it. */
export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: Meta
  readonly spec: Record<string, unknown>
  readonly data: Readonly<Record<string, string>>
  readonly stringData: Readonly<Record<string, string>>
  /** Of a Role. */
  readonly rules?: readonly Rule[]
}

export interface EnvVar {
  readonly name: string
  readonly value?: string
  readonly valueFrom?: { readonly secretKeyRef?: { readonly name: string; readonly key: string } }
}

export interface Container {
  readonly name: string
  readonly image: string
  readonly imagePullPolicy: string
  readonly command?: readonly string[]
  readonly args?: readonly string[]
  readonly env?: readonly EnvVar[]
  readonly lifecycle?: { readonly preStop?: { readonly sleep?: { readonly seconds: number } } }
  readonly resources: {
    readonly requests: Readonly<Record<string, unknown>>
    readonly limits: Readonly<Record<string, unknown>>
  }
  readonly securityContext: Readonly<Record<string, unknown>>
}

export interface PodSpec {
  readonly automountServiceAccountToken: boolean
  readonly enableServiceLinks: boolean
  readonly shareProcessNamespace?: boolean
  readonly terminationGracePeriodSeconds: number
  readonly securityContext: Readonly<Record<string, unknown>>
  readonly containers: readonly Container[]
  readonly initContainers?: readonly Container[]
  readonly topologySpreadConstraints?: readonly { readonly topologyKey: string }[]
}

export interface Pod {
  /** Such as Deployment/ingot. */
  readonly owner: string
  readonly meta: Meta
  readonly spec: PodSpec
}

function helm(args: readonly string[]): { readonly status: number | null; readonly out: string; readonly err: string } {
  const { status, stdout, stderr, error } = spawnSync('helm', args, { encoding: 'utf8', maxBuffer: 64 * 2 ** 20 })
  if (error !== undefined) throw error
  return { status, out: stdout, err: stderr }
}

let isThere: boolean | undefined

/** Returns true if helm can be started. */
export function hasHelm(): boolean {
  isThere ??= spawnSync('helm', ['version']).status === 0
  return isThere
}

export interface ChartUnderTest {
  /** Names of the sets of values in the folder tests/values of the chart. */
  readonly modes: readonly string[]
  readonly valuesFile: (mode: string) => string
  /**
   * Renders a set of values for a release. `changes` are `path=JSON`, `more` are additional arguments of helm. Caches the
   * result. Throws the error of helm.
   */
  readonly render: (
    mode: string,
    changes?: readonly string[],
    release?: string,
    more?: readonly string[],
  ) => readonly Manifest[]
  /** Renders the values of any file. */
  readonly renderFile: (file: string) => readonly Manifest[]
  /** Returns the message with which helm refuses the values. Throws if helm accepts them. */
  readonly refusal: (mode: string, changes: readonly string[]) => string
  /** Returns the message with which helm refuses an object of values. Throws if helm accepts it. */
  readonly refusalOf: (mode: string, values: object) => string
  /** Returns the findings of helm, or `fine`. */
  readonly lint: (mode: string) => string
}

/** `folder` is that of the chart, `name` the default name of the release. */
export function chartIn(folder: string, name: string): ChartUnderTest {
  const valuesFolder = join(folder, 'tests', 'values')
  const valuesFile = (mode: string): string => join(valuesFolder, `${mode}.yaml`)
  const rendered = new Map<string, readonly Manifest[]>()

  function valueArgs(mode: string, changes: readonly string[]): string[] {
    return ['--values', valuesFile(mode), ...changes.flatMap((change) => ['--set-json', change])]
  }

  function manifestsOf(release: string, args: readonly string[]): readonly Manifest[] {
    const { status, out, err } = helm(['template', release, folder, '--namespace', 'shop', ...args])
    if (status !== 0) throw new Error(err)
    return readManifests(out)
  }

  return {
    modes: readdirSync(valuesFolder).map((file) => file.replace(/\.yaml$/, '')),
    valuesFile,
    render(mode, changes = [], release = name, more = []) {
      const key = JSON.stringify([mode, changes, release, more])
      const manifests = rendered.get(key) ?? manifestsOf(release, [...valueArgs(mode, changes), ...more])
      rendered.set(key, manifests)
      return manifests
    },
    renderFile: (file) => manifestsOf(name, ['--values', file]),
    refusal(mode, changes) {
      const { status, err } = helm(['template', name, folder, ...valueArgs(mode, changes)])
      if (status === 0) throw new Error(`helm takes ${changes.join(' ')}`)
      return err
    },
    refusalOf(mode, values) {
      const input = JSON.stringify(values)
      const args = ['template', name, folder, '--values', valuesFile(mode), '--values', '-']
      const { status, stderr } = spawnSync('helm', args, { encoding: 'utf8', input })
      if (status === 0) throw new Error(`helm takes ${input}`)
      return stderr
    },
    lint(mode) {
      const { status, out, err } = helm(['lint', '--strict', folder, ...valueArgs(mode, [])])
      return status === 0 ? 'fine' : out + err
    },
  }
}

export const { modes: MODES, valuesFile, render, renderFile, refusal, refusalOf, lint } = chartIn(CHART, 'ingot')

/** Parses YAML like Kubernetes: 0555 is octal. */
export function readManifests(text: string): readonly Manifest[] {
  return parseAllDocuments(text, { version: '1.1' })
    .map((document) => {
      if (document.errors[0] !== undefined) throw document.errors[0]
      return document.toJS() as Manifest | null
    })
    .filter((manifest) => manifest !== null)
}

/** Returns the only object of a kind and name. Throws if there is none. */
export function find(manifests: readonly Manifest[], kind: string, name: string): Manifest {
  const found = manifests.filter((manifest) => manifest.kind === kind && manifest.metadata.name === name)
  if (found[0] === undefined || found.length > 1) throw new Error(`${found.length} of ${kind}/${name}`)
  return found[0]
}

export const kinds = (manifests: readonly Manifest[], kind: string): string[] =>
  manifests.filter((manifest) => manifest.kind === kind).map((manifest) => manifest.metadata.name)

interface Owner {
  readonly template?: { readonly metadata: Meta; readonly spec: PodSpec }
}

/** Returns the template of every pod that the objects create. */
export function pods(manifests: readonly Manifest[]): readonly Pod[] {
  return manifests.flatMap(({ kind, metadata, spec }): Pod[] => {
    const owner = `${kind}/${metadata.name}`
    if (kind === 'Pod') return [{ owner, meta: metadata, spec: spec as unknown as PodSpec }]
    const { jobTemplate, ...own } = (spec ?? {}) as Owner & { jobTemplate?: { spec: Owner } }
    const { template: pod } = jobTemplate?.spec ?? own
    return pod === undefined ? [] : [{ owner, meta: pod.metadata, spec: pod.spec }]
  })
}

/** Returns the containers of a pod, including init containers. */
export const containers = ({ spec }: Pod): readonly Container[] => [...(spec.initContainers ?? []), ...spec.containers]

/** Returns the pod template of an owner such as Deployment/ingot. */
export function podOf(manifests: readonly Manifest[], owner: string): Pod {
  const found = pods(manifests).find((pod) => pod.owner === owner)
  if (found === undefined) throw new Error(`no pod of ${owner}`)
  return found
}

/** Returns the environment of the service's container, by name. */
export function serviceEnv(manifests: readonly Manifest[]): ReadonlyMap<string, EnvVar> {
  const [container] = podOf(manifests, 'Deployment/ingot').spec.containers
  return new Map((container?.env ?? []).map((entry) => [entry.name, entry]))
}

/** Returns the configuration file of the service. */
export function serviceConfig(manifests: readonly Manifest[]): Record<string, unknown> {
  const text = find(manifests, 'ConfigMap', 'ingot').data['config.json'] ?? ''
  return JSON.parse(text) as Record<string, unknown>
}
