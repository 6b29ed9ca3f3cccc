/**
 * Measures the cost of an item's identity: items per second of processor time (all threads), digest included, for different
 * spellings of the items, compared with `JSON.parse`, sorting and hashing. The contenders take turns in one run, and the
 * median of the rounds counts. Only ratios within a run are meaningful.
 */
import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { identify } from '../../src/identity/content-id.ts'
import { DEFAULT_POLICY, type IdentityPolicy } from '../../src/identity/policy.ts'

const ITEMS = 5_000
const ROUNDS = 15
const ROUND_MS = 100

interface Contender {
  readonly name: string
  readonly items: readonly Uint8Array[]
  readonly identify: (item: Uint8Array) => Uint8Array
}

/** Members are in canonical order, so that JSON.stringify returns canonical texts. */
function record(n: number): Record<string, unknown> {
  return {
    active: n % 2 === 0,
    homepage: `https://example.org/projects/${n}/index.html`,
    id: n * 7_919,
    maintainer: 'Games Team <games-team@lists.example.org>',
    name: `item number ${n}`,
    nested: { x: n, y: -n },
    price: n * 1.25,
    tags: ['alpha', 'beta', `gamma ${n}`],
    version: `1:${n}.0-1`,
  }
}

/** Returns views of one buffer, like lines of a stream. */
function written(write: (item: Record<string, unknown>) => string): Uint8Array[] {
  const lines = Array.from({ length: ITEMS }, (_, n) => Buffer.from(write(record(n))))
  const all = Buffer.concat(lines)
  let at = 0
  return lines.map((line) => all.subarray(at, (at += line.length)))
}

const shuffled = (item: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(item).toSorted(([a], [b]) => (a.length - b.length || a < b ? -1 : 1)))

const canonical = written((item) => JSON.stringify(item))
const unordered = written((item) => JSON.stringify(shuffled(item)))
const spaced = written((item) => JSON.stringify(shuffled(item)).replaceAll('":', '": ').replaceAll(',"', ', "'))
const pretty = written((item) => JSON.stringify(shuffled(item), null, 2))
const escaped = written((item) => JSON.stringify(shuffled(item)).replaceAll('m', '\\u006d'))

function naiveText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(naiveText).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${naiveText(member)}`).join(',')}}`
}

const naive = (item: Uint8Array): Uint8Array =>
  createHash('sha256')
    .update(naiveText(JSON.parse(item.toString())))
    .digest()

const under =
  (policy: IdentityPolicy) =>
  (item: Uint8Array): Uint8Array =>
    identify(policy, 'json', item, { maxDepth: 64 })
const json = under(DEFAULT_POLICY)

const CONTENDERS: readonly Contender[] = [
  { name: 'json, canonical already', items: canonical, identify: json },
  { name: 'json, members unordered', items: unordered, identify: json },
  { name: 'json, spaces after marks', items: spaced, identify: json },
  { name: 'json, pretty-printed', items: pretty, identify: json },
  { name: 'json, escaped letters', items: escaped, identify: json },
  {
    name: 'fields, include two',
    items: unordered,
    identify: under({ kind: 'fields', include: ['/name', '/nested/x'] }),
  },
  { name: 'fields, exclude two', items: unordered, identify: under({ kind: 'fields', exclude: ['/id', '/nested/x'] }) },
  { name: 'bytes', items: canonical, identify: under({ kind: 'bytes' }) },
  { name: 'naive (lossy), canonical already', items: canonical, identify: naive },
  { name: 'naive (lossy), members unordered', items: unordered, identify: naive },
  { name: 'naive (lossy), pretty-printed', items: pretty, identify: naive },
]

function perSecond({ items, identify: call }: Contender): number {
  const start = process.cpuUsage()
  let done = 0
  let cpuMs = 0
  while (cpuMs < ROUND_MS) {
    for (const item of items) call(item)
    done += items.length
    const { user, system } = process.cpuUsage(start)
    cpuMs = (user + system) / 1_000
  }
  return (done / cpuMs) * 1_000
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

const rounds = Array.from({ length: ROUNDS }, () => CONTENDERS.map(perSecond))
console.log(`${ITEMS} distinct items, ${ROUNDS} rounds, node ${process.version}`)
for (const [at, { name, items }] of CONTENDERS.entries()) {
  const bytes = items.reduce((sum, item) => sum + item.length, 0) / items.length
  const rate = median(rounds.map((round) => round[at] ?? 0))
  console.log(
    `${name.padEnd(34)} ${bytes.toFixed(0).padStart(4)} B ${Math.round(rate).toLocaleString('en').padStart(10)} items/s`,
  )
}
