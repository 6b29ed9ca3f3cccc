/** Makes a support bundle without secrets. */
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { IngotError } from '../../errors/error.ts'
import type { KubeApi } from '../../kube/client/api.ts'
import { type Facts, type NotRead, valueOr } from '../facts.ts'
import { textsAt } from '../json.ts'
import { collect } from './collect.ts'
import { createRedactor, type Redactor } from './redact.ts'
import { type Entry, tarOf } from './tar.ts'

/** The report of `bundle`, as `-o json` prints it; also `manifest.json` in the bundle. */
export interface BundleManifest {
  readonly kind: 'IngotBundle'
  readonly version: 1
  readonly namespace: string
  readonly release: string
  /** RFC 3339. */
  readonly at: string
  readonly versions: { readonly ingot: string; readonly node: string }
  readonly files: readonly string[]
  /** Secrets whose values were searched for. The others could not be read. */
  readonly searchedSecrets: readonly string[]
  readonly redactions: number
  readonly notRead: readonly NotRead[]
}

export interface Bundle {
  /** A tar archive in gzip. */
  readonly archive: Uint8Array
  readonly manifest: BundleManifest
}

/**
 * Rejects with BUNDLE_NOT_CLEAN if a secret value is still in a file, and with the signal's reason. `redactorOf` makes the
 * redactor for the values of the Secrets; tests replace it by a wrong one.
 */
export async function makeBundle(
  api: KubeApi,
  facts: Facts,
  signal: AbortSignal,
  redactorOf: (values: readonly string[]) => Redactor = createRedactor,
): Promise<Bundle> {
  const { entries, notRead } = await collect(api, facts, signal)
  const { namespace, release, version, nowMs } = facts
  const at = new Date(nowMs).toISOString()
  const redactor = redactorOf(secretValues(facts))
  const folder = `ingot-bundle-${release}`
  const clean = entries.map(({ path, content }) => ({ path: `${folder}/${path}`, content: redactor.text(content) }))
  const draft: BundleManifest = {
    kind: 'IngotBundle',
    version: 1,
    namespace,
    release,
    at,
    versions: { ingot: version, node: process.version },
    files: clean.map(({ path }) => path),
    searchedSecrets: facts.secrets.filter(({ secret }) => secret.kind === 'read').map(({ name }) => name),
    redactions: redactor.count,
    notRead: notRead.map(({ part, why }) => ({ part, why: redactor.text(why) })),
  }
  const files = [
    ...clean,
    { path: `${folder}/manifest.json`, content: redactor.text(`${JSON.stringify(draft, null, 2)}\n`) },
  ]
  refuseLeaks(files, redactor)
  const archive = await promisify(gzip)(tarOf(files, nowMs))
  return { archive, manifest: draft }
}

/** Ports and switches, which Secrets with connection settings have beside the password. */
const PLAIN = /^(\d{1,5}|true|false|null)$/

/** Returns the values of the Secrets, but for those that the names of objects show anyway, such as a user name. */
function secretValues({ secrets, objects }: Facts): readonly string[] {
  const names = Object.values(objects).flatMap((read) => valueOr(read, []).map(({ metadata }) => metadata.name))
  const values = secrets.flatMap(({ secret }) => {
    const data = textsAt(valueOr(secret, undefined), 'data')
    return Object.values(data).map((value) => Buffer.from(value, 'base64').toString())
  })
  return values.filter((value) => !PLAIN.test(value.trim()) && !names.some((name) => name.includes(value.trim())))
}

function refuseLeaks(files: readonly Entry[], redactor: Redactor): void {
  const leaking = files.find(({ content }) => redactor.leakIn(content))
  if (leaking === undefined) return
  throw new IngotError(
    'BUNDLE_NOT_CLEAN',
    `a secret value of the release is still in ${leaking.path}; nothing was written`,
  )
}
