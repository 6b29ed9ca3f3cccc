/**
 * Generates values.schema.json of both charts, and charts/ingot/files/config-rules.json. With --check, only fails if they
 * are not current. Run it after a change of src/config/schema.ts or of schema/ of a chart.
 *
 * charts/ingot/schema/values.json is the frame. Every other file there, NAME.json, is the schema of the value NAME. The
 * value `service.config` comes from the schema of the service's configuration, without settings that other values decide.
 * `"extends": "pod"` adds the properties of that definition, because JSON Schema cannot extend a closed object.
 * charts/ingot-operator/schema/values.json uses the same definitions.
 * Patterns of strings go into config-rules.json, for templates/_validate.tpl: the errors of JSON Schema would show the
 * pattern instead of a readable message.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CONFIG_SCHEMA } from '../src/config/schema.ts'

const CHARTS = join(import.meta.dirname, '..', 'charts')

/** Settings that the templates set from other values. */
const DECIDED = [
  'listen',
  'data',
  'storeUrl',
  'storeDirectUrl',
  'storeMapping',
  'storeCa',
  'lockUrl',
  'lockFences',
  'lockMode',
  'cacheUrl',
  'access',
  'tokensFile',
]

const settings = Object.entries(CONFIG_SCHEMA.properties).filter(([key]) => !DECIDED.includes(key))
for (const key of DECIDED) {
  if (CONFIG_SCHEMA.properties[key] === undefined) throw new Error(`there is no setting ${key} any more`)
}

function schemaOf({ type, enum: values, minimum, maximum, description, default: byDefault }) {
  const limits = { ...(minimum === undefined ? {} : { minimum }), ...(maximum === undefined ? {} : { maximum }) }
  return { description, default: byDefault, type, ...(values === undefined ? limits : { enum: [...values] }) }
}

function configSchema() {
  const properties = Object.fromEntries(settings.map(([key, property]) => [key, schemaOf(property)]))
  return { description: 'Settings of the service.', type: 'object', additionalProperties: false, properties }
}

function configRules() {
  const rules = settings.flatMap(([key, { pattern, allowed }]) =>
    pattern === undefined ? [] : [[key, { pattern, allowed }]],
  )
  return Object.fromEntries(rules)
}

/** Properties that may be null: one file of values can remove the mapping of another. */
const NULLABLE = new Set(['mapping'])

/**
 * Replaces each `extends` by the properties of its definition. Requires every property that is an object: null would remove
 * it, and templates read its fields.
 */
function extended(part, definitions) {
  if (typeof part !== 'object' || part === null || Array.isArray(part)) return part
  const { extends: base, properties, ...rest } = part
  if (properties === undefined) return part
  const own = Object.entries(properties).map(([key, value]) => [key, extended(value, definitions)])
  const all = { ...Object.fromEntries(own), ...(base === undefined ? {} : definitions[base].properties) }
  const isObject = ({ type, $ref }) =>
    $ref === undefined ? type === 'object' : isObject(definitions[$ref.split('/').at(-1)])
  const required = Object.keys(all).filter((key) => !NULLABLE.has(key) && isObject(all[key]))
  return { ...rest, ...(required.length > 0 ? { required } : {}), properties: all }
}

const readJson = (...path) => JSON.parse(readFileSync(join(CHARTS, ...path), 'utf8'))

function valuesSchema() {
  const { properties, ...frame } = readJson('ingot', 'schema', 'values.json')
  const parts = readdirSync(join(CHARTS, 'ingot', 'schema')).filter((file) => file !== 'values.json')
  const others = Object.fromEntries(
    parts.toSorted().map((file) => [file.slice(0, -'.json'.length), readJson('ingot', 'schema', file)]),
  )
  const service = { ...others.service, properties: { config: configSchema(), ...others.service.properties } }
  const all = { ...properties, ...others, service }
  const { pod: _base, ...definitions } = frame.definitions
  return { ...frame, definitions, ...extended({ properties: all }, frame.definitions) }
}

/** Returns the definitions that a schema refers to, directly or through others. */
function referred(schema, definitions) {
  const text = JSON.stringify(schema)
  const found = Object.entries(definitions).filter(([name]) => text.includes(`"#/definitions/${name}"`))
  return Object.fromEntries(
    found.flatMap(([name, one]) => [...Object.entries(referred(one, definitions)), [name, one]]),
  )
}

function operatorSchema() {
  const { definitions } = readJson('ingot', 'schema', 'values.json')
  const { $schema, title, ...schema } = extended(readJson('ingot-operator', 'schema', 'values.json'), definitions)
  return { $schema, title, definitions: referred(schema, definitions), ...schema }
}

const isCheck = process.argv.includes('--check')
const outputs = {
  'ingot/values.schema.json': valuesSchema(),
  'ingot/files/config-rules.json': configRules(),
  'ingot-operator/values.schema.json': operatorSchema(),
}
for (const [file, content] of Object.entries(outputs)) {
  const path = join(CHARTS, file)
  const text = `${JSON.stringify(content, null, 2)}\n`
  if (!isCheck) writeFileSync(path, text)
  else if (!existsSync(path) || readFileSync(path, 'utf8') !== text) {
    console.error(`charts/${file} is not current: run "npm run chart:schema"`)
    process.exitCode = 1
  }
}
