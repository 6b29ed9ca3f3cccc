/**
 * Every setting of the service: its name, its default, what it may be. The environment, the configuration file, the
 * documentation and the chart read this one schema. A property `bodyIdle` is `INGOT_BODY_IDLE` in the environment
 * and `bodyIdle` in the file.
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
      'Where items live. `sqlite:` is the embedded store in the data folder; `memory:` keeps nothing; `http://…` is somebody else’s API, see INGOT_STORE_MAPPING; `postgres://user:password@host:port/database` is shared by any number of replicas, and may lead to a pooler in transaction mode.',
    default: 'sqlite:',
    allowed: 'a URL',
  }),
  storeDirectUrl: Type.Optional(
    Type.String({
      description: 'The database of `storeUrl` past its pooler, for migrations. Without it they go through `storeUrl`.',
      allowed: 'a URL',
    }),
  ),
  storeMapping: Type.Optional(
    Type.String({
      description: 'JSON file that says how the API of an http store finds and saves an item.',
      minLength: 1,
      allowed: 'a file',
    }),
  ),
  storeCa: Type.Optional(
    Type.String({
      description:
        'PEM file of the authorities that may have signed the certificate of an https store. Default: those that Node knows.',
      minLength: 1,
      allowed: 'a file',
    }),
  ),
  lockUrl: Type.Optional(
    Type.String({
      description:
        'The lock service: redis://, redis+sentinel://, redis+cluster://, redlock:// or memory: (one process).',
      allowed: 'a URL',
    }),
  ),
  lockFences: Type.Optional(
    Type.String({
      description: 'Durable numbers for fences that rise across failovers: sqlite:FILE or postgres://….',
      allowed: 'a URL',
    }),
  ),
  lockMode: oneOf(
    'When to lock. `auto`: for a store that cannot refuse duplicates. `always`: in front of any store. `never`: not at all.',
    'auto',
    ['auto', 'always', 'never'],
  ),
  lockTtl: duration('Length of a lock, renewed while it is held.', '10s'),
  lockWait: duration('How long an item waits for its lock.', '10s'),
  cacheUrl: Type.Optional(
    Type.String({
      description:
        'A cache of committed ids that replicas of a postgres store share: redis://, rediss://, redis+sentinel:// or redis+cluster://. `?timeout=` bounds what it may cost a request, 100ms by default.',
      allowed: 'a URL',
    }),
  ),
  cacheTtl: duration('How long the cache keeps an id.', '24h'),
  access: oneOf(
    'Whether requests need a bearer token. `auto`: yes, unless there is no tokens file and the service listens on loopback only. `off`: never.',
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
  logLevel: oneOf('Least severe events that are logged.', 'info', ['debug', 'info', 'warn', 'error', 'silent']),
  maxItemBytes: count('Largest item, in bytes: also the longest line of a stream.', 1_048_576),
  maxBatchBytes: count('Largest body of a batch, in bytes.', 16_777_216),
  maxBatchItems: count('Most items of a batch.', 10_000),
  maxDepth: Type.Integer({
    description: 'How deep JSON may nest.',
    default: 128,
    minimum: 1,
    maximum: 1_000,
    allowed: 'a whole number from 1 to 1000',
  }),
  maxPendingItems: count('Items that may wait to be stored before requests get 429.', 16_384),
  maxPendingBytes: count('The same in bytes.', 67_108_864),
  maxReceivingBytes: count(
    'Bytes of request bodies that may be in memory together before requests get 429: bodies that are being received or are not answered yet, and unfinished lines of streams. At least maxBatchBytes and maxItemBytes.',
    67_108_864,
  ),
  recentItems: count('Ids of committed items kept in memory, about 200 bytes each.', 50_000, 0),
  idempotencyTtl: duration('How long the answer to an Idempotency-Key is kept.', '24h'),
  bodyIdle: duration('How long a client may pause while sending a body.', '2m'),
  bodyTime: duration(
    'How long a client may take to send a whole body, or one line of a stream. The stream itself may last for ever.',
    '5m',
  ),
  readStall: duration('How long a client may leave answers of a stream unread.', '30s'),
  startWait: duration('How long the start waits for a store or a lock service that is not there yet.', '0s'),
  drainDelay: duration(
    'How long after SIGTERM everything is still answered, each answer closing its connection, before requests are refused.',
    '0s',
  ),
  drain: duration('How long requests under way may take to finish after SIGTERM.', '25s'),
} satisfies TProperties

export const CONFIG_SCHEMA = Type.Object(properties, { additionalProperties: false })

export type Config = Readonly<Static<typeof CONFIG_SCHEMA>>

/** Settings that hold a URL. The adapters declare its forms, see `UrlForms`. */
export const URL_KEYS = ['storeUrl', 'storeDirectUrl', 'lockUrl', 'lockFences', 'cacheUrl'] as const

/** The URLs that each of these settings may hold. */
export type UrlForms = Readonly<Record<(typeof URL_KEYS)[number], readonly UrlForm[]>>

export const CONFIG_KEYS: readonly string[] = Object.keys(properties)

/** `bodyIdle` is `INGOT_BODY_IDLE`. */
export function environmentName(key: string): string {
  return `INGOT_${key.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`
}
