/**
 * Converts TypeBox schemas to structural schemas, which CustomResourceDefinitions require: every node has a type, there
 * is no union of objects, and unknown members are pruned rather than refused. Pure.
 */

/** A JSON Schema, as TypeBox builds it or as the API server takes it. */
export type JsonSchema = Readonly<Record<string, unknown>>

/** Members that keep their meaning. Each list and text needs a maximum, because the cost of CEL rules is bounded by it. */
const KEPT = [
  'type',
  'description',
  'default',
  'enum',
  'format',
  'pattern',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'maxProperties',
  'required',
  'nullable',
  'x-kubernetes-validations',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-preserve-unknown-fields',
  'x-kubernetes-embedded-resource',
]

/** Throws Error with the path of a part that a structural schema cannot express or that lacks a maximum. */
export function structuralSchema(from: object, path = ''): JsonSchema {
  const schema: JsonSchema = { ...from }
  const literals = literalsOf(schema)
  if (literals !== undefined) return { ...pick(schema), type: 'string', enum: literals }
  const { type } = schema
  if (typeof type !== 'string') throw new Error(`${path}: a structural schema needs a type`)
  if (type === 'object') return objectOf(schema, path)
  if (type === 'array') return arrayOf(schema, path)
  if (type === 'string' && schema['maxLength'] === undefined && schema['format'] === undefined) {
    throw new Error(`${path}: a text needs a maxLength, because the cost of CEL rules depends on it`)
  }
  return pick(schema)
}

function objectOf(schema: JsonSchema, path: string): JsonSchema {
  const [record] = Object.values(membersOf(schema['patternProperties']))
  if (record !== undefined) {
    if (schema['maxProperties'] === undefined) throw new Error(`${path}: a map needs maxProperties`)
    return { ...pick(schema), additionalProperties: structuralSchema(record, `${path}.*`) }
  }
  const properties = Object.entries(membersOf(schema['properties'])).map(
    ([name, member]) => [name, structuralSchema(member, `${path}.${name}`)] as const,
  )
  return properties.length === 0 ? pick(schema) : { ...pick(schema), properties: Object.fromEntries(properties) }
}

function arrayOf(schema: JsonSchema, path: string): JsonSchema {
  const { items } = schema
  if (schema['maxItems'] === undefined) throw new Error(`${path}: a list needs maxItems`)
  if (!isSchema(items)) throw new Error(`${path}: a list needs the schema of its items`)
  return { ...pick(schema), items: structuralSchema(items, `${path}[]`) }
}

/** Returns the texts of an enumeration: `enum`, or a union of literals. */
function literalsOf({ enum: values, anyOf }: JsonSchema): readonly unknown[] | undefined {
  if (Array.isArray(values)) return values.map((value: unknown) => value)
  if (!Array.isArray(anyOf)) return undefined
  const literals = anyOf.map((one: unknown) => (isSchema(one) ? one['const'] : undefined))
  return literals.every((literal) => typeof literal === 'string') ? literals : undefined
}

function pick(schema: JsonSchema): JsonSchema {
  return Object.fromEntries(
    KEPT.filter((name) => schema[name] !== undefined).map((name) => [name, schema[name]] as const),
  )
}

function membersOf(value: unknown): Readonly<Record<string, JsonSchema>> {
  if (!isSchema(value)) return {}
  return Object.fromEntries(Object.entries(value).flatMap(([name, one]) => (isSchema(one) ? [[name, one]] : [])))
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
