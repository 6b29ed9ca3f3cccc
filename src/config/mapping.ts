/** The mapping of an http store, read from its file; `{env:NAME}` in a header's value is taken from the environment. */
import { readFileSync } from 'node:fs'
import { Fault } from '../std/fault.ts'
import type { Environment } from './load.ts'

/** The file as parsed JSON. Throws Fault CONFIG_INVALID when it cannot be read or names what the environment lacks. */
export function loadMapping(file: string, environment: Environment = process.env): unknown {
  try {
    const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'))
    return withHeaders(parsed, environment)
  } catch (cause) {
    if (cause instanceof Fault) throw cause
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new Fault('CONFIG_INVALID', `INGOT_STORE_MAPPING: "${file}" cannot be read: ${why}`, { cause })
  }
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
    if (found === undefined) throw new Fault('CONFIG_INVALID', `INGOT_STORE_MAPPING: the environment has no ${name}`)
    return found
  })
}
