/**
 * Reads the metrics from the source: each call of a method of `Metrics`, with the name, the help text and the labels that
 * it registers. A function that registers metrics for its callers, such as `gauge(name, help, labels, …)`, is followed.
 */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'

export type MetricType = 'counter' | 'gauge' | 'histogram'

export interface CatalogMetric {
  readonly name: string
  readonly type: MetricType
  readonly help: string
  readonly labels: readonly string[]
  /** The file that registers it, such as `src/lock/measure.ts`. */
  readonly file: string
}

const TYPES: ReadonlyMap<string, MetricType> = new Map([
  ['counter', 'counter'],
  ['gauge', 'gauge'],
  ['gaugeOf', 'gauge'],
  ['gaugesOf', 'gauge'],
  ['histogram', 'histogram'],
  ['histogramOf', 'histogram'],
])

/** What names stand for: constants of the file, and parameters of a function that registers metrics. */
type Names = ReadonlyMap<string, ts.Expression>

/** Returns all metrics of the sources below `root`, by name. Throws if one has no name or help text that can be read. */
export function readCatalog(root: string): readonly CatalogMetric[] {
  const files = globSync('src/**/*.ts', { cwd: root }).filter(
    (file) => !file.endsWith('.test.ts') && !file.startsWith('src/testing/'),
  )
  const all = files.toSorted().flatMap((file) => metricsIn(file, readFileSync(join(root, file), 'utf8')))
  return all.toSorted((one, other) => (one.name < other.name ? -1 : 1))
}

/** Returns the metrics that the text of a file registers. */
export function metricsIn(file: string, text: string): readonly CatalogMetric[] {
  // parsing costs more than this look
  if (!text.includes("'ingot_")) return []
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
  const calls = nodesOf(source).filter(ts.isCallExpression)
  const names = constantsOf(source)
  return calls.flatMap((call) => {
    const type = typeOf(call)
    const [options] = call.arguments
    if (type === undefined || options === undefined) return []
    const wrapper = wrapperOf(call)
    const scopes = wrapper === undefined ? [names] : callsOf(wrapper, calls).map((one) => bound(wrapper, one, names))
    return scopes.flatMap((scope) => metricOf(options, scope, { type, file }))
  })
}

function nodesOf(node: ts.Node): readonly ts.Node[] {
  const found: ts.Node[] = []
  const visit = (one: ts.Node): void => {
    found.push(one)
    ts.forEachChild(one, visit)
  }
  visit(node)
  return found
}

/** Returns the initial values of all constants of the file. */
function constantsOf(source: ts.SourceFile): Names {
  const pairs = nodesOf(source)
    .filter(ts.isVariableDeclaration)
    .flatMap(({ name, initializer }) =>
      ts.isIdentifier(name) && initializer !== undefined ? [[name.text, initializer] as const] : [],
    )
  return new Map(pairs)
}

/** Returns the type of metric that a call such as `metrics.counter({…})` registers. */
function typeOf({ expression }: ts.CallExpression): MetricType | undefined {
  if (!ts.isPropertyAccessExpression(expression) || expression.expression.getText() !== 'metrics') return undefined
  return TYPES.get(expression.name.text)
}

type Wrapper = { readonly name: string; readonly parameters: readonly string[] }

/** Returns the local function around a call, if the name of the metric is a parameter of it. */
function wrapperOf(call: ts.CallExpression): Wrapper | undefined {
  for (let node: ts.Node = call; node.parent !== undefined; node = node.parent) {
    if (!ts.isArrowFunction(node) || !ts.isVariableDeclaration(node.parent)) continue
    const parameters = node.parameters.map(({ name }) => name.getText())
    if (parameters[0] === 'name') return { name: node.parent.name.getText(), parameters }
  }
  return undefined
}

const callsOf = ({ name }: Wrapper, calls: readonly ts.CallExpression[]): readonly ts.CallExpression[] =>
  calls.filter(({ expression }) => expression.getText() === name)

/** Returns the names with the arguments of the call as values of the parameters. */
function bound({ parameters }: Wrapper, { arguments: given }: ts.CallExpression, names: Names): Names {
  const pairs = parameters.flatMap((name, at) => (given[at] === undefined ? [] : [[name, given[at]] as const]))
  return new Map([...names, ...pairs])
}

function metricOf(
  options: ts.Expression,
  names: Names,
  { type, file }: Pick<CatalogMetric, 'type' | 'file'>,
): readonly CatalogMetric[] {
  const fields = fieldsOf(options, names)
  const name = textOf(fields.get('name'), names)
  const help = textOf(fields.get('help'), names)
  if (name === undefined || help === undefined)
    throw new Error(`${file}: ${options.getText()} has no literal name or help`)
  const labels = listOf(fields.get('labels'), names)
  return [{ name, type, help, labels, file }]
}

/** Returns the expression without `as const`, and a name's value instead of the name. */
function resolved(expression: ts.Expression | undefined, names: Names): ts.Expression | undefined {
  if (expression === undefined) return undefined
  if (ts.isAsExpression(expression)) return resolved(expression.expression, names)
  const value = ts.isIdentifier(expression) ? names.get(expression.text) : undefined
  return value === undefined || value === expression ? expression : resolved(value, names)
}

function fieldsOf(options: ts.Expression, names: Names): ReadonlyMap<string, ts.Expression> {
  const literal = resolved(options, names)
  if (literal === undefined || !ts.isObjectLiteralExpression(literal)) return new Map()
  const pairs = literal.properties.flatMap((property) => {
    if (ts.isShorthandPropertyAssignment(property)) return [[property.name.text, property.name] as const]
    return ts.isPropertyAssignment(property) ? [[property.name.getText(), property.initializer] as const] : []
  })
  return new Map(pairs)
}

function textOf(expression: ts.Expression | undefined, names: Names): string | undefined {
  const literal = resolved(expression, names)
  return literal !== undefined && ts.isStringLiteralLike(literal) ? literal.text : undefined
}

function listOf(expression: ts.Expression | undefined, names: Names): readonly string[] {
  const list = resolved(expression, names)
  if (list === undefined) return []
  if (!ts.isArrayLiteralExpression(list)) throw new Error(`${list.getText()} is no list of labels`)
  return list.elements.flatMap((element) => {
    if (ts.isSpreadElement(element)) return listOf(element.expression, names)
    return textOf(element, names) ?? []
  })
}
