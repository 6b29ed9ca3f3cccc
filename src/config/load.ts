/**
 * Reads settings from the environment and, with lower precedence, from the file that INGOT_CONFIG names. All problems
 * are reported at once, each with its key and the allowed values. Only this folder reads process.env.
 */
import { Value } from 'typebox/value'
import { IngotError, reasonOf } from '../errors/error.ts'
import { nearest } from '../std/nearest.ts'
import { describeForms, isMalformed, matchesForm } from '../std/url-form.ts'
import { readJsonSetting } from './file.ts'
import { CONFIG_KEYS, CONFIG_SCHEMA, type Config, environmentName, URL_KEYS, type UrlForms } from './schema.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** Names that are read elsewhere, or only by tests. */
const OTHER_NAMES = new Set([
  'INGOT_CONFIG',
  'INGOT_FAILPOINTS',
  'INGOT_TOKEN',
  // set for commands that `ingot lock` runs
  'INGOT_LOCK_KEY',
  'INGOT_LOCK_FENCE',
])

/** Variables that Kubernetes sets in every pod for a Service named ingot. */
const SERVICE_LINK = /^INGOT_(\w+_)?(SERVICE_(HOST|PORT)\w*|PORT(_\d+_\w+)?)$/

/**
 * Returns the settings with their defaults. `urls` are the URLs that the adapters accept.
 * Throws IngotError CONFIG_INVALID; its message lists every problem, one per line.
 */
export function loadConfig(urls: UrlForms, environment: Environment = process.env): Config {
  const problems: string[] = []
  const settings = { ...fromFile(environment['INGOT_CONFIG'], problems), ...fromEnvironment(environment, problems) }
  const config = Value.Default(CONFIG_SCHEMA, settings)
  const invalid = invalidKeys(config)
  for (const key of invalid) problems.push(describe(key, settings[key]))
  problems.push(...urlProblems(settings, urls))
  if (problems.length === 0) problems.push(...contradictions(Value.Parse(CONFIG_SCHEMA, config)))
  if (problems.length > 0)
    throw new IngotError('CONFIG_INVALID', `the configuration is wrong:\n  ${problems.join('\n  ')}`)
  return Object.freeze(Value.Parse(CONFIG_SCHEMA, config))
}

function fromFile(file: string | undefined, problems: string[]): Record<string, unknown> {
  if (file === undefined || file === '') return {}
  try {
    const parsed = readJsonSetting('INGOT_CONFIG', file)
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return { ...parsed }
    problems.push(`INGOT_CONFIG: "${file}" does not hold a JSON object`)
  } catch (failure) {
    problems.push(reasonOf(failure))
  }
  return {}
}

function fromEnvironment(environment: Environment, problems: string[]): Record<string, unknown> {
  const keys = new Map(CONFIG_KEYS.map((key) => [environmentName(key), key]))
  const settings: Record<string, unknown> = {}
  for (const [name, text] of Object.entries(environment)) {
    const key = keys.get(name)
    if (key !== undefined && text !== undefined && text !== '') settings[key] = typed(key, text)
    else if (key === undefined && isUnknownSetting(name)) problems.push(noSuchSetting(name, [...keys.keys()]))
  }
  return settings
}

function isUnknownSetting(name: string): boolean {
  return name.startsWith('INGOT_') && !OTHER_NAMES.has(name) && !SERVICE_LINK.test(name)
}

/**
 * Returns the value with its type. The environment only has text; integers are converted where the schema expects one.
 */
function typed(key: string, text: string): unknown {
  return propertyOf(key)['type'] === 'integer' && /^-?\d+$/.test(text.trim()) ? Number(text) : text
}

function propertyOf(key: string): Readonly<Record<string, unknown>> {
  const properties: Readonly<Record<string, object>> = CONFIG_SCHEMA.properties
  return { ...properties[key] }
}

function invalidKeys(config: unknown): Set<string> {
  const keys = Value.Errors(CONFIG_SCHEMA, config).flatMap((error) => {
    const [, key] = error.instancePath.split('/')
    return key === undefined ? [] : [key]
  })
  return new Set(keys)
}

/** Returns problems between settings that are valid by themselves. */
function contradictions(config: Config): string[] {
  return (['maxBatchBytes', 'maxItemBytes'] as const)
    .filter((key) => config[key] > config.maxReceivingBytes)
    .map(
      (key) =>
        `${namesOf('maxReceivingBytes')}: ${config.maxReceivingBytes} is less than ${key}, ${config[key]}: a body of that size could never be received`,
    )
}

function describe(key: string, value: unknown): string {
  const { allowed } = propertyOf(key)
  if (typeof allowed !== 'string') return noSuchSetting(key, CONFIG_KEYS)
  return `${namesOf(key)}: ${withoutPassword(value)} is not ${allowed}`
}

function namesOf(key: string): string {
  return `${environmentName(key)} ("${key}" in a file)`
}

const URL_HINT = 'check host and port, and percent-encode special characters in the user and the password'

function urlProblems(settings: Readonly<Record<string, unknown>>, urls: UrlForms): string[] {
  return URL_KEYS.flatMap((key) => {
    const value = settings[key]
    if (typeof value !== 'string') return []
    const said = `${namesOf(key)}: ${withoutPassword(value)}`
    if (!matchesForm(value, urls[key])) return [`${said} is not ${describeForms(urls[key])}`]
    return isMalformed(value, urls[key]) ? [`${said} is not a valid URL: ${URL_HINT}`] : []
  })
}

function noSuchSetting(name: string, known: readonly string[]): string {
  const meant = nearest(name, known)
  return `${name}: there is no such setting${meant === undefined ? '' : `, did you mean ${meant}?`}`
}

/**
 * Returns the value for a message. Of a URL, or of text that was meant to be one, only the scheme is shown: a password
 * may be anywhere after it.
 */
function withoutPassword(value: unknown): string {
  return JSON.stringify(value).replace(/^("[^":]*:).*[@?].*$/s, '$1…"')
}
