/**
 * The mapping of an external HTTP API: how to find and save an item. It contains addresses and bodies with
 * placeholders, and the meaning of each status.
 *
 *   {
 *     "find": { "url": "/items?collection={collection}&key={id}", "found": [200], "absent": [404], "firstSeen": "/saved" },
 *     "save": { "method": "POST", "url": "/items", "saved": [200, 201], "firstSeen": "/saved",
 *               "body": { "collection": "{collection}", "key": "{id}", "media": "{media}", "content": "{base64}" } },
 *     "get":  { "url": "/content?collection={collection}&key={id}" },
 *     "health": { "url": "/health" },
 *     "headers": { "authorization": "Bearer {env:LEGACY_TOKEN}" },
 *     "stale": [409, 412], "fencing": true, "timeout": "5s"
 *   }
 *
 * Placeholders: {collection} {id} {digest} {media} {base64}. A string value that is exactly {json} is replaced by the
 * content as JSON. `firstSeen` is a JSON pointer into the response, to milliseconds or a date. Without it, the time of
 * the call is used.
 */
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { IngotError } from '../../../errors/error.ts'

const statuses = (byDefault: readonly number[]) =>
  Type.Array(Type.Integer({ minimum: 100, maximum: 599 }), { minItems: 1, default: [...byDefault] })

const closed = { additionalProperties: false }

const MAPPING = Type.Object(
  {
    find: Type.Object(
      {
        url: Type.String({ minLength: 1 }),
        found: statuses([200]),
        absent: statuses([404]),
        firstSeen: Type.Optional(Type.String()),
      },
      closed,
    ),
    save: Type.Object(
      {
        method: Type.Enum(['POST', 'PUT'], { type: 'string', default: 'POST' }),
        url: Type.String({ minLength: 1 }),
        saved: statuses([200, 201, 204]),
        body: Type.Unknown(),
        firstSeen: Type.Optional(Type.String()),
      },
      closed,
    ),
    get: Type.Optional(Type.Object({ url: Type.String({ minLength: 1 }) }, closed)),
    health: Type.Optional(Type.Object({ url: Type.String({ minLength: 1 }) }, closed)),
    headers: Type.Record(Type.String(), Type.String(), { default: {} }),
    /** Statuses that mean a stale fence. */
    stale: statuses([409, 412]),
    /** True if the backend checks the header `Fencing-Token`. */
    fencing: Type.Boolean({ default: false }),
    timeout: Type.String({ pattern: '^\\d+(\\.\\d+)?(ms|s|m)$', default: '5s' }),
    collections: Type.Record(Type.String(), Type.Unknown(), { default: {} }),
  },
  closed,
)

export type Mapping = Static<typeof MAPPING>

/** Validates a mapping and fills in its defaults. Throws IngotError CONFIG_INVALID, which names every wrong member. */
export function parseMapping(value: unknown): Mapping {
  const complete = Value.Default(MAPPING, structuredClone(value))
  const problems = Value.Errors(MAPPING, complete).map((error) => `${error.instancePath || '/'}: ${error.message}`)
  if (problems.length > 0) {
    throw new IngotError('CONFIG_INVALID', `the mapping of the http store is wrong:\n  ${problems.join('\n  ')}`)
  }
  return Value.Parse(MAPPING, complete)
}

/** Fills in the placeholders of a text. Applies `encode` to each value. Leaves unknown placeholders unchanged. */
export function fill(
  text: string,
  placeholders: Readonly<Record<string, string>>,
  encode: (value: string) => string,
): string {
  return text.replaceAll(/\{([a-z0-9]+)\}/g, (whole, name: string) => {
    const value = placeholders[name]
    return value === undefined ? whole : encode(value)
  })
}

/**
 * Renders a value as JSON, with the placeholders of all its strings filled in. The string "{json}" becomes the content.
 */
export function fillValue(value: unknown, placeholders: Readonly<Record<string, string>>): string {
  if (typeof value === 'string')
    return value === '{json}' ? (placeholders['json'] ?? 'null') : JSON.stringify(fill(value, placeholders, String))
  if (Array.isArray(value)) return `[${value.map((one) => fillValue(one, placeholders)).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  return `{${Object.entries(value)
    .map(([name, one]) => `${JSON.stringify(name)}:${fillValue(one, placeholders)}`)
    .join(',')}}`
}
