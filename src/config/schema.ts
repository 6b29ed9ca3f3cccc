/**
 * Every setting of the service: its name, default and allowed values. The environment, the configuration file, the
 * documentation and the chart use this one schema. A property `bodyIdle` is `INGOT_BODY_IDLE` in the environment and
 * `bodyIdle` in the file.
 */
import { type Static, type TProperties, Type } from 'typebox'
import type { UrlForm } from '../std/url-form.ts'

const duration = (description: string, byDefault: string) =>
  Type.String({
    description,
    default: byDefault,
    pattern: '^\\d+(\\.\\d+)?(ms|s|m|h|d)$',
    allowed: 'a duration such as 500ms, 30s, 5m, 24h',
  })

const count = (description: string, byDefault: number, minimum = 1) =>
  Type.Integer({
    description,
    default: byDefault,
    minimum,
    maximum: 2 ** 40,
    allowed: `a whole number from ${minimum}`,
  })

const oneOf = <T extends string>(description: string, byDefault: T, values: readonly T[]) =>
  Type.Enum(values, { type: 'string', description, default: byDefault, allowed: values.join(', ') })

const properties = {
  listen: Type.String({
    description: 'Address and port to serve HTTP on.',
    default: '127.0.0.1:8080',
    pattern: '^(\\[[0-9a-fA-F:.]+\\]|[^:\\s]+):\\d{1,5}$',
    allowed: 'host:port, such as 127.0.0.1:8080, 0.0.0.0:8080 or [::1]:8080',
  }),
  data: Type.String({
    description: 'Folder of the embedded store.',
    default: './data',
    minLength: 1,
    allowed: 'a folder',
  }),
  storeUrl: Type.String({
    description:
      'Where items are stored. `sqlite:` is the embedded store in the data folder; `memory:` keeps items only until the process ends; `http://…` is an external API, see INGOT_STORE_MAPPING; `postgres://user:password@host:port/database` can be shared by any number of replicas, directly or through a pooler in transaction mode.',
    default: 'sqlite:',
    allowed: 'a URL',
  }),
  storeDirectUrl: Type.Optional(
    Type.String({
      description: 'Address of the database of `storeUrl` without its pooler, for migrations. Default: `storeUrl`.',
      allowed: 'a URL',
    }),
  ),
  storeMapping: Type.Optional(
    Type.String({
      description: 'JSON file that describes how the API of an http store finds and saves an item.',
      minLength: 1,
      allowed: 'a file',
    }),
  ),
  storeCa: Type.Optional(
    Type.String({
      description:
        'PEM file of the authorities that may have signed the certificate of an https store. Default: Node’s own list.',
      minLength: 1,
      allowed: 'a file',
    }),
  ),
  lockUrl: Type.Optional(
    Type.String({
      description:
        'The lock service: a URL that LOCKS.md lists, such as redis+sentinel://… or postgres://…, or memory: (one process).',
      allowed: 'a URL',
    }),
  ),
  lockDirectUrl: Type.Optional(
    Type.String({
      description: 'URL of the database of the locks without its connection pooler. Waiters are woken through it.',
      allowed: 'a URL',
    }),
  ),
  lockFences: Type.Optional(
    Type.String({
      description: 'Durable store of fences that rise across failovers: sqlite:FILE or postgres://….',
      allowed: 'a URL',
    }),
  ),
  lockMode: oneOf(
    'When to lock. `auto`: for a store that cannot refuse duplicates. `always`: for any store. `never`: not at all.',
    'auto',
    ['auto', 'always', 'never'],
  ),
  lockTtl: duration('Lease of a lock, renewed while it is held.', '10s'),
  lockWait: duration('How long an item waits for its lock.', '10s'),
  cacheUrl: Type.Optional(
    Type.String({
      description:
        'A cache of committed ids that replicas of a postgres store share: redis://, rediss://, redis+sentinel:// or redis+cluster://. `?timeout=` bounds the time that it may add to a request, 100ms by default.',
      allowed: 'a URL',
    }),
  ),
  cacheTtl: duration('How long the cache keeps an id.', '24h'),
  access: oneOf(
    'Whether requests need a bearer token. `auto`: yes, unless there is no tokens file and the service listens only on loopback. `off`: never.',
    'auto',
    ['auto', 'off'],
  ),
  tokensFile: Type.Optional(
    Type.String({
      description: 'JSON file of tokens and their rights, see docs/settings.md.',
      minLength: 1,
      allowed: 'a file',
    }),
  ),
  otel: oneOf(
    'Whether spans are recorded and sent by OTLP. The standard variables (OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_SAMPLER, …) configure them, see docs/traces.md.',
    'off',
    ['off', 'on'],
  ),
  logLevel: oneOf('Lowest severity of events that are logged.', 'info', ['debug', 'info', 'warn', 'error', 'silent']),
  maxItemBytes: count('Maximum size of an item, and of a line of a stream, in bytes.', 1_048_576),
  maxBatchBytes: count('Maximum size of the body of a batch, in bytes.', 16_777_216),
  maxBatchItems: count('Maximum number of items in a batch.', 10_000),
  maxDepth: Type.Integer({
    description: 'Maximum nesting depth of JSON.',
    default: 128,
    minimum: 1,
    maximum: 1_000,
    allowed: 'a whole number from 1 to 1000',
  }),
  maxPendingItems: count('Number of items that may wait to be stored before requests get 429.', 16_384),
  maxPendingBytes: count('Bytes of items that may wait to be stored before requests get 429.', 67_108_864),
  maxReceivingBytes: count(
    'Bytes of request bodies that may be in memory together before requests get 429: bodies that are being received or have no response yet, and unfinished lines of streams. At least maxBatchBytes and maxItemBytes.',
    67_108_864,
  ),
  recentItems: count('Number of ids of committed items kept in memory, about 200 bytes each.', 50_000, 0),
  idempotencyTtl: duration('How long the response to an Idempotency-Key is kept.', '24h'),
  bodyIdle: duration('How long a client may pause while sending a body.', '2m'),
  bodyTime: duration(
    'How long a client may take to send a complete body, or one line of a stream. The stream itself may last for ever.',
    '5m',
  ),
  readStall: duration('How long a client may leave the response of a stream unread.', '30s'),
  startWait: duration('How long the start waits for a store or a lock service that is not available yet.', '0s'),
  drainDelay: duration(
    'How long after SIGTERM requests are still served, with responses that close their connection, before they are refused.',
    '0s',
  ),
  drain: duration('How long requests in progress may take to finish after SIGTERM.', '25s'),
} satisfies TProperties

export const CONFIG_SCHEMA = Type.Object(properties, { additionalProperties: false })

export type Config = Readonly<Static<typeof CONFIG_SCHEMA>>

/** Settings that hold a URL. The adapters declare its forms, see `UrlForms`. */
export const URL_KEYS = ['storeUrl', 'storeDirectUrl', 'lockUrl', 'lockDirectUrl', 'lockFences', 'cacheUrl'] as const

/** The URLs that each of these settings may hold. */
export type UrlForms = Readonly<Record<(typeof URL_KEYS)[number], readonly UrlForm[]>>

export const CONFIG_KEYS: readonly string[] = Object.keys(properties)

/** Returns the environment variable of a setting: `INGOT_BODY_IDLE` for `bodyIdle`. */
export function environmentName(key: string): string {
  return `INGOT_${key.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`
}
