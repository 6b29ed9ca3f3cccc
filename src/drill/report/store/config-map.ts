/** Reports as ConfigMaps, compressed. A ConfigMap is one object, so it is stored whole or not at all. */
import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { IngotError, reasonOf } from '../../../errors/error.ts'
import type { KubeApi } from '../../../kube/client/api.ts'
import type { KubeObject, OwnerReference, Resource } from '../../../kube/client/resource.ts'
import { type ReportFiles, type ReportStore, requireName, requireNames } from './store.ts'

export const CONFIG_MAPS: Resource = {
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  namespaced: true,
}

/** Label of the ConfigMap of a report: the drill or schedule whose runs are compared. */
export const DRILL_LABEL = 'ingot.dev/drill'
const FINISHED = 'ingot.dev/finished-at'

/** Bytes of the files after compression, in base64. The API server refuses an object above 1 MiB. */
const MAX_BYTES = 900 * 1_024
/** Bytes of one file before compression. */
const MAX_FILE_BYTES = 64 * 1_024 * 1_024

export interface ConfigMapOptions {
  readonly api: KubeApi
  readonly namespace: string
  /** Kubernetes deletes the report with its owner, the drill. Default: no owner. */
  readonly owner?: OwnerReference | undefined
}

const compress = promisify(gzip)
const decompress = promisify(gunzip)

/** Returns the name of the ConfigMap of a drill's report. */
export function configMapName(drill: string): string {
  return `${drill}-report`
}

/** Returns a store in this namespace. It needs the verbs get, list, create and patch on configmaps. */
export function createConfigMapReportStore({ api, namespace, owner }: ConfigMapOptions): ReportStore {
  return {
    async save(name, report, signal) {
      requireNames(name, report)
      const metadata = {
        name: configMapName(name),
        namespace,
        labels: { [DRILL_LABEL]: labelOf(report.of) },
        annotations: { [FINISHED]: report.at, [DRILL_LABEL]: report.of },
        ...(owner === undefined ? {} : { ownerReferences: [owner] }),
      }
      const binaryData = await packed(report.files)
      await api.apply(CONFIG_MAPS, { metadata, binaryData }, signal)
      return metadata.name
    },
    async load(name, signal) {
      const found = await api.get(CONFIG_MAPS, { namespace, name: configMapName(requireName(name)) }, signal)
      if (found === undefined) return undefined
      const { annotations = {} } = found.metadata
      return { of: annotations[DRILL_LABEL] ?? name, at: finishedAt(found), files: await unpacked(found) }
    },
    async latest(of, signal) {
      const labelSelector = `${DRILL_LABEL}=${labelOf(requireName(of))}`
      const { items } = await api.list(CONFIG_MAPS, { namespace, labelSelector }, signal)
      const reports = items.filter(({ metadata }) => metadata.name.endsWith(SUFFIX))
      const [last] = reports.toSorted((a, b) => timeOf(b) - timeOf(a))
      return last?.metadata.name.slice(0, -SUFFIX.length)
    },
  }
}

const SUFFIX = configMapName('')

/** Longest value of a label. */
const LABEL = 63

/** Returns the name, or the beginning of a long one with a digest of all of it. */
function labelOf(of: string): string {
  if (of.length <= LABEL) return of
  const digest = createHash('sha256').update(of).digest('hex').slice(0, 16)
  return `${of.slice(0, LABEL - 1 - digest.length)}-${digest}`
}

const finishedAt = ({ metadata }: KubeObject): string =>
  metadata.annotations?.[FINISHED] ?? metadata.creationTimestamp ?? ''
const timeOf = (object: KubeObject): number => Date.parse(finishedAt(object)) || 0

async function packed(files: ReportFiles): Promise<Readonly<Record<string, string>>> {
  const data: Record<string, string> = {}
  let bytes = 0
  for (const [file, text] of Object.entries(files)) {
    const packedText = (await compress(text)).toString('base64')
    bytes += packedText.length
    data[`${file}.gz`] = packedText
  }
  if (bytes <= MAX_BYTES) return data
  const sizes = `${Math.ceil(bytes / 1_024)} KiB, and a ConfigMap holds ${MAX_BYTES / 1_024} KiB`
  throw new IngotError('REPORT_TOO_LARGE', `the compressed report has ${sizes}`)
}

async function unpacked({ metadata, binaryData }: KubeObject): Promise<ReportFiles> {
  const files: Record<string, string> = {}
  if (typeof binaryData !== 'object' || binaryData === null) return files
  for (const [file, value] of Object.entries(binaryData) as readonly [string, unknown][]) {
    if (file.endsWith('.gz')) files[file.slice(0, -3)] = await textOf(value, `${file} of ConfigMap ${metadata.name}`)
  }
  return files
}

async function textOf(value: unknown, where: string): Promise<string> {
  try {
    const bytes = Buffer.from(String(value), 'base64')
    return (await decompress(bytes, { maxOutputLength: MAX_FILE_BYTES })).toString()
  } catch (cause) {
    throw new IngotError('REPORT_DAMAGED', `${where} cannot be unpacked: ${reasonOf(cause)}`, { cause })
  }
}
