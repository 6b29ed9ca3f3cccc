/** Reads manifests. JSON is YAML too. */
import { loadYaml } from '@kubernetes/client-node'
import { IngotError, reasonOf } from '../errors/error.ts'
import { isKubeObject, type KubeObject } from './client/resource.ts'

/** Returns the one object of the text. `name` is shown in messages. Throws IngotError INPUT_UNREADABLE. */
export function parseManifest(text: string, name: string): KubeObject {
  let value: unknown
  try {
    value = loadYaml(text)
  } catch (cause) {
    throw new IngotError('INPUT_UNREADABLE', `"${name}" is no YAML with one object: ${reasonOf(cause)}`, { cause })
  }
  if (isKubeObject(value)) return value
  throw new IngotError('INPUT_UNREADABLE', `"${name}" is no manifest: it needs apiVersion, kind and metadata`)
}
