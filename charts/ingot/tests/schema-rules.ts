/** Finds the rules of values.schema.json, and a value that breaks each of them. */

export interface Schema {
  readonly $ref?: string
  readonly definitions?: Readonly<Record<string, Schema>>
  readonly type?: string | readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: boolean | Schema
  readonly required?: readonly string[]
  readonly enum?: readonly unknown[]
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly pattern?: string
}

export interface BrokenRule {
  readonly keyword: (typeof KEYWORDS)[number]
  readonly path: readonly string[]
  readonly value: unknown
  /** JSON pointer in the message of helm. */
  readonly where: string
}

export const KEYWORDS = [
  'type',
  'enum',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'pattern',
  'required',
  'additionalProperties',
] as const

const NO_TEXT_HAS = '\u0000 !'
const WRONG_TYPE: Readonly<Record<string, unknown>> = { string: true, object: 'text', array: 'text', boolean: 'text' }

type Breaker = (schema: Schema) => readonly (readonly [member: string | undefined, value: unknown])[]

const self = (value: unknown) => [[undefined, value]] as const

/** Returns for each keyword the values that break it. `member` is a missing or an additional property. */
const BREAKERS: Readonly<Record<BrokenRule['keyword'], Breaker>> = {
  type: ({ type }) =>
    typeof type === 'string' ? self(WRONG_TYPE[type] ?? 'text') : type === undefined ? [] : self(true),
  enum: (schema) => (schema.enum === undefined ? [] : self('nonsense')),
  minimum: ({ minimum }) => (minimum === undefined ? [] : self(minimum - 1)),
  maximum: ({ maximum }) => (maximum === undefined ? [] : self(maximum + 1)),
  minLength: ({ minLength = 0 }) => (minLength === 0 ? [] : self('x'.repeat(minLength - 1))),
  maxLength: ({ maxLength }) => (maxLength === undefined ? [] : self('x'.repeat(maxLength + 1))),
  pattern: ({ pattern }) => (pattern === undefined ? [] : self(NO_TEXT_HAS)),
  // null removes a default
  required: ({ required = [] }) => required.map((member) => [member, null] as const),
  additionalProperties: ({ additionalProperties }) => (additionalProperties === false ? [['colour', 'red']] : []),
}

/** Returns all rules of the schema, except those on items of lists and on choices between schemas. */
export function brokenRules(schema: Schema): BrokenRule[] {
  const resolve = (part: Schema): Schema => schema.definitions?.[part.$ref?.split('/').at(-1) ?? ''] ?? part

  function visit(reference: Schema, path: readonly string[]): BrokenRule[] {
    const part = resolve(reference)
    const here = KEYWORDS.flatMap((keyword) =>
      BREAKERS[keyword](part).map(([member, value]) => ({
        keyword,
        value,
        path: member === undefined ? path : [...path, member],
        where: path.map((name) => `/${name}`).join(''),
      })),
    )
    const inner = Object.entries(part.properties ?? {}).flatMap(([name, child]) => visit(child, [...path, name]))
    // the values themselves are always an object
    return [...here, ...inner].filter((rule) => rule.path.length > 0)
  }

  return visit(schema, [])
}

/** Merges the broken values into one object of values. No path may contain another. */
export function nested(rules: readonly BrokenRule[]): object {
  const values: Record<string, unknown> = {}
  for (const { path, value } of rules) {
    let parent = values
    for (const name of path.slice(0, -1)) {
      const inner = parent[name]
      parent = (typeof inner === 'object' && inner !== null ? inner : (parent[name] = {})) as Record<string, unknown>
    }
    parent[path.at(-1) ?? ''] = value
  }
  return values
}
