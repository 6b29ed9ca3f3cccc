/** Reads the mapping of an http store. `{env:NAME}` in the value of a header is replaced from the environment. */
import { IngotError } from '../errors/error.ts'
import { readJsonSetting } from './file.ts'
import type { Environment } from './load.ts'

/**
 * Returns the parsed JSON. Throws IngotError CONFIG_INVALID if the file cannot be read, or names a missing variable.
 */
export function loadMapping(file: string, environment: Environment = process.env): unknown {
  return withHeaders(readJsonSetting('INGOT_STORE_MAPPING', file), environment)
}

function withHeaders(mapping: unknown, environment: Environment): unknown {
  if (typeof mapping !== 'object' || mapping === null || !('headers' in mapping)) return mapping
  const headers = Object.entries(Object(mapping.headers)).map(([name, value]) => [
    name,
    typeof value === 'string' ? filled(value, environment) : value,
  ])
  return { ...mapping, headers: Object.fromEntries(headers) as unknown }
}

function filled(value: string, environment: Environment): string {
  return value.replaceAll(/\{env:(\w+)\}/g, (_whole, name: string) => {
    const found = environment[name]
    if (found === undefined)
      throw new IngotError('CONFIG_INVALID', `INGOT_STORE_MAPPING: the environment variable ${name} is missing`)
    return found
  })
}
