/** Removes secrets from texts and objects. Pure. */
import type { KubeObject } from '../../kube/client/resource.ts'
import { formsOf, secretTexts } from './secret-forms.ts'

const REDACTED = 'REDACTED'

export interface Redactor {
  /** Returns the text without the known secrets, and without what looks like one. */
  readonly text: (text: string) => string
  /** Returns true if the text has a known secret in any form. */
  readonly leakIn: (text: string) => boolean
  /** Number of replacements so far. */
  readonly count: number
}

/** `values` are the decoded values of the Secrets. */
export function createRedactor(values: readonly string[]): Redactor {
  const forms = [...new Set(values.flatMap(secretTexts).flatMap(formsOf))]
  // the longest first: a value may contain another one
  const sorted = forms.toSorted((a, b) => b.length - a.length).map(escaped)
  const known = sorted.length === 0 ? undefined : new RegExp(sorted.join('|'), 'g')
  let count = 0
  const counted = (): string => {
    count++
    return REDACTED
  }
  return {
    text(text) {
      const clean = known === undefined ? text : text.replace(known, counted)
      return patternless(clean, counted)
    },
    leakIn: (text) => known !== undefined && text.search(known) !== -1,
    get count() {
      return count
    },
  }
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`)
}

/**
 * Names of settings whose values are secret, other than names of Secrets and of files. Every repetition here and below
 * has a maximum or a single place to begin: a line of a megabyte must not take quadratic time.
 */
const NAME = String.raw`(?<![\w.-])[\w.-]{0,64}?(?:passw(?:or)?d|passphrase|secret|token|credential|api[-_]?key|private[-_]?key|dsn)[\w.-]{0,64}(?<!name|file|path|ref)`

/** Each has the text before the secret in its first group, and the text after it in its second one. */
const PATTERNS: readonly RegExp[] = [
  /(-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----)[\s\S]*?(-----END [A-Z ]{0,30}PRIVATE KEY-----|$)/g,
  // user:password@ of a URL
  /((?<![a-z0-9+.-])[a-z][a-z0-9+.-]{0,30}:\/\/[^\s/@:"']{0,256}:)[^\s/@"']{1,1024}(@)/gi,
  /(\b(?:bearer|basic)[ \t]{1,8})[\w.~+/=-]{6,}()/gi,
  new RegExp(String.raw`(${NAME}\\?["']?[ \t]{0,8}[=:][ \t]{0,8}\\?["'])(?!REDACTED)[^"'\\]{1,65536}(\\?["'])`, 'gi'),
  new RegExp(String.raw`(${NAME}=)(?!REDACTED)[^\s&"',;]+()`, 'gi'),
  // redis.conf, ACL files and AUTH
  /(^[ \t]{0,20}(?:requirepass|masterauth|sentinel[ \t]{1,8}(?:auth-pass[ \t]{1,8}\S{1,128}|sentinel-pass))[ \t]{1,8})\S+()/gim,
  /(\buser[ \t]{1,8}\S{1,128}[ \t][^\n>#]{0,256}[>#])[^\s>#]+()/g,
  /(\bAUTH[ \t]{1,8}(?:\S{1,128}[ \t]{1,8})?)(?!REDACTED)\S+()/g,
]

function patternless(text: string, replacement: () => string): string {
  return PATTERNS.reduce(
    (clean, pattern) =>
      clean.replace(pattern, (_all, before: string, after: string) => `${before}${replacement()}${after}`),
    text,
  )
}

/** Variables that the chart sets, whose values are no secrets. Credentials in URLs are removed as in any text. */
const PLAIN =
  /^(MODE|TLS|PERSISTENT|SELF|QUORUM|MASTER_NAME|MIN_REPLICAS|HANDOVER_S|PREVIOUS_VALID_S|DOWN_AFTER_MS|FAILOVER_TIMEOUT_MS|CLUSTER_MASTERS|(REDIS|SENTINEL)_(SERVER|CLI|SET|DOMAIN|COUNT|PORT)|INGOT_(CONFIG|LISTEN|LOG_LEVEL|STORE_URL|LOCK_URL|CACHE_URL|LOCK_FENCES)|POD_NAMESPACE|POD_NAME)$/

/** Annotations that repeat a whole object, with its values. */
const DROPPED_ANNOTATION = /last-applied-configuration$/

/** Returns the object without fields that are no help, and without values of variables that may be secret. */
export function redactedObject(object: KubeObject): unknown {
  return redactedValue(object, [])
}

function redactedValue(value: unknown, path: readonly string[]): unknown {
  if (Array.isArray(value)) {
    const isEnv = path.at(-1) === 'env'
    return value.map((one: unknown) => (isEnv ? redactedVariable(one) : redactedValue(one, path)))
  }
  if (typeof value !== 'object' || value === null) return value
  const inMetadata = path.at(-1) === 'metadata'
  const inAnnotations = path.at(-1) === 'annotations'
  const kept = Object.entries(value).filter(
    ([name]) => !(inMetadata && name === 'managedFields') && !(inAnnotations && DROPPED_ANNOTATION.test(name)),
  )
  return Object.fromEntries(kept.map(([name, one]) => [name, redactedValue(one, [...path, name])]))
}

function redactedVariable(variable: unknown): unknown {
  if (typeof variable !== 'object' || variable === null || !('value' in variable)) return variable
  const name = 'name' in variable ? String(variable.name) : ''
  return PLAIN.test(name) ? variable : { ...variable, value: REDACTED }
}
