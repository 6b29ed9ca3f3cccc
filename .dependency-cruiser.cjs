/**
 * The import table. ARCHITECTURE.md draws it. Read `ROOMS` from top to bottom: a room may import itself, and the
 * rooms in its list; every other room is out of reach.
 */
const ROOMS = {
  std: [],
  errors: ['std'],
  telemetry: ['std', 'errors'],
  config: ['std', 'errors'],
  identity: ['std', 'errors'],
  client: ['std', 'errors'],
  redis: ['std', 'errors', 'telemetry'],
  postgres: ['std', 'errors', 'telemetry'],
  kube: ['std', 'errors', 'telemetry'],
  lock: ['std', 'errors', 'telemetry'],
  items: ['std', 'errors', 'telemetry', 'identity', 'lock'],
  http: ['std', 'errors', 'telemetry', 'identity', 'items', 'lock'],
  operator: ['std', 'errors', 'telemetry', 'kube', 'redis', 'drill/spec', 'drill/targets/pod'],
  inspect: ['std', 'errors', 'telemetry', 'kube', 'redis/topology', 'drill/spec', 'drill/report'],
  drill: ['std', 'errors', 'telemetry', 'redis', 'postgres', 'kube', 'lock', 'items', 'identity', 'client'],
  service: ['std', 'errors', 'telemetry', 'config', 'identity', 'redis', 'postgres', 'lock', 'items', 'http'],
}
/** The one folder or file that may import a driver. */
const ONE_HOME = {
  ioredis: 'redis',
  pg: 'postgres',
  mysql2: 'lock/backends/mysql',
  fastify: 'http',
  '@fastify/swagger': 'http',
  '@kubernetes/client-node': 'kube',
  opossum: 'std/breaker',
  redlock: 'lock/backends/redlock',
  croner: 'operator/drills/cron',
  aws4fetch: 'drill/report/store/bucket',
  'lru-cache': 'items/freshness/recent-ids',
  pino: 'telemetry',
  '@opentelemetry/api': 'telemetry',
  '@fastify/otel': 'telemetry/otel',
  '@opentelemetry/sdk-trace-node': 'telemetry/otel',
  'prom-client': 'telemetry',
}
/** Data: an error code with its status and remedy. */
const CODES = '/error-codes\\.ts$'
const NOT_CODES = '^src/(?!.*/error-codes\\.ts$)'
const TEST = '\\.test\\.ts$|^src/testing/|/contract\\.ts$'
const COMMON = 'std|errors|telemetry|identity'
const CONNECTIONS = 'redis|postgres|kube'
/**
 * Folders inside a room: what each may import of `src/`, beside itself and `COMMON`. `$1` is the name of the adapter's
 * own folder. `core` means the files directly in the room, which hold the model, the ports and the registries.
 */
const FOLDERS = {
  'lock/engine': ['lock/[^/]+\\.ts$', 'lock/fencing/fence-store\\.ts$'],
  'lock/fencing': ['lock/[^/]+\\.ts$', 'postgres/'],
  'lock/backends/([a-z-]+)': [
    'lock/[^/]+\\.ts$',
    'lock/fencing/(fence-store|primary-terms)\\.ts$',
    'lock/backends/$1/',
    `(${CONNECTIONS})/`,
  ],
  'items/freshness': ['items/[^/]+\\.ts$'],
  'items/pipeline': ['items/[^/]+\\.ts$', 'items/freshness/'],
  'items/cache/[^/]+\\.ts$': ['items/[^/]+\\.ts$', 'items/freshness/', 'items/cache/[^/]+\\.ts$'],
  'items/cache/([a-z-]+)/': ['items/[^/]+\\.ts$', 'items/cache/cache\\.ts$', 'items/cache/$1/', `(${CONNECTIONS})/`],
  'items/exclusion': ['items/[^/]+\\.ts$', 'lock/'],
  'items/stores/([a-z-]+)': [
    'items/[^/]+\\.ts$',
    'items/exclusion/external-store\\.ts$',
    'items/stores/($1|sql)/',
    `(${CONNECTIONS})/`,
  ],
  'drill/checkers': ['drill/history\\.ts$'],
  'drill/report': [
    'drill/(history|merge|plan)\\.ts$',
    'drill/(checkers|spec)/',
    'drill/targets/kubernetes/values\\.ts$',
    // the stores of reports, for themselves
    'kube/',
  ],
  'drill/faults': ['drill/(history|plan)\\.ts$', 'drill/(targets/(processes|kubernetes)|workloads)/', '(kube|redis)/'],
  'drill/targets/processes': [],
  'drill/targets/kubernetes': [
    'drill/(checkout|history|plan)\\.ts$',
    'drill/(checkers/final-store\\.ts$|final-store/|sources/)',
    'drill/targets/[^/]+\\.ts$',
    'drill/targets/redis/view\\.ts$',
    `(${CONNECTIONS})/`,
  ],
  'drill/targets/redis': ['(kube|redis)/'],
  'drill/targets/pod': [
    'drill/(checkout|history|plan)\\.ts$',
    'drill/(checkers/final-store\\.ts$|final-store/|sources/)',
    'drill/targets/([^/]+\\.ts$|kubernetes/store-read\\.ts$)',
    `(${CONNECTIONS})/`,
  ],
  'drill/actions': ['drill/(spec|faults|targets)/', 'drill/(undo|plan|redis-error)\\.ts$', '(kube|redis)/'],
  'drill/spec': ['drill/checkout\\.ts$', 'redis/topology/', 'kube/'],
  'drill/targets/kind': ['drill/(checkout|plan)\\.ts$', 'drill/targets/kubernetes/'],
}
/** Files of `core` that put a room together, and therefore see its folders. */
const COMPOSES = {
  lock: ['index', 'registry', 'locker'],
  items: ['registry'],
}
const esc = (s) => s.replace(/[/@.-]/g, '\\$&')
const folderRules = Object.entries(FOLDERS).map(([folder, may]) => {
  const own = folder.endsWith('$') || folder.includes('(') ? [] : [`${folder}/`]
  return {
    name: `folder-${folder.replaceAll(/[^a-z/]+/g, '-')}`,
    severity: 'error',
    from: { path: `^src/${folder}`, pathNot: TEST },
    to: { path: '^src/', pathNot: `^src/(${[...own, ...may, `(${COMMON})/`].join('|').replaceAll('\\$1', '$1')})` },
  }
})
const coreRules = Object.entries(COMPOSES).map(([room, files]) => ({
  name: `${room}-core-knows-no-folder`,
  comment: 'the model and the ports know nobody who implements or uses them',
  severity: 'error',
  from: { path: `^src/${room}/[^/]+\\.ts$`, pathNot: `${TEST}|^src/${room}/(${files.join('|')})\\.ts$` },
  to: { path: `^src/${room}/[a-z-]+/`, pathNot: '^src/lock/fencing/fence-store\\.ts$' },
}))
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, pathNot: [TEST, '^src/(cli|kubectl-ingot|commands/)'] },
      to: {},
    },
    {
      name: 'not-to-testing',
      comment: 'shipping code never imports fakes',
      severity: 'error',
      from: { path: '^src/', pathNot: TEST },
      to: { path: TEST },
    },
    {
      name: 'starters-know-no-proof',
      comment: 'a proof uses fakes and starters, never the other way round',
      severity: 'error',
      from: { path: '^src/testing/', pathNot: '^src/testing/proofs/|\\.test\\.ts$' },
      to: { path: '^src/testing/proofs/' },
    },
    {
      name: 'only-cli-to-commands',
      severity: 'error',
      // the programs of the proofs are called as commands are
      from: { path: '^src/', pathNot: '^src/(cli\\.ts$|kubectl-ingot\\.ts$|commands/|testing/program\\.ts$)' },
      to: { path: '^src/commands/', pathNot: CODES },
    },
    {
      name: 'only-commands-to-service',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(commands|service)/|\\.test\\.ts$|^src/testing/' },
      to: { path: '^src/service/' },
    },
    {
      name: 'pure-identity',
      comment: 'an id depends on the bytes of the item alone',
      severity: 'error',
      from: { path: '^src/identity/', pathNot: TEST },
      to: { pathNot: '^src/(identity|errors|std)/|^(node:)?(crypto|buffer)$' },
    },
    {
      name: 'pure-checkers',
      comment: 'a verdict is a function of a history',
      severity: 'error',
      from: { path: '^src/drill/(checkers|report)/', pathNot: `${TEST}|^src/drill/report/store/` },
      to: { pathNot: '^src/|node_modules/typebox/|^(node:)?(crypto|buffer)$' },
    },
    {
      name: 'reports-know-no-cluster',
      comment: 'only the stores of reports do I/O',
      severity: 'error',
      from: { path: '^src/drill/report/', pathNot: `${TEST}|^src/drill/report/store/` },
      to: { path: '^src/kube/' },
    },
    {
      name: 'pure-plans',
      comment: 'plans, topology and manifests do no I/O',
      severity: 'error',
      from: {
        path: '^src/(drill/(plan|targets/kubernetes/values)\\.ts$|redis/topology/|operator/.*(plan|render/[^/]+)\\.ts$)',
        pathNot: '\\.test\\.ts$',
      },
      to: { pathNot: '^src/(drill/plan\\.ts$|drill/spec/|redis/topology/|std/|operator/)' },
    },
    ...Object.entries(ROOMS).map(([room, may]) => ({
      name: `room-${room}`,
      severity: 'error',
      from: { path: `^src/${room}/`, pathNot: `${TEST}|^src/(lock|items)/[a-z-]+/` },
      to: { path: room === 'errors' ? NOT_CODES : '^src/', pathNot: `^src/(${[room, ...may].join('|')})/` },
    })),
    {
      name: 'error-codes-are-data',
      comment: 'every room may throw any error, so the codes of a room import nothing of it',
      severity: 'error',
      from: { path: CODES },
      to: { path: '^src/', pathNot: '^src/std/error-kind\\.ts$' },
    },
    ...folderRules,
    ...coreRules,
    {
      name: 'no-adapter-outside-service',
      comment: 'only service/, commands/ and the registries choose an adapter',
      severity: 'error',
      from: { path: '^src/(http|drill|operator|client)/', pathNot: TEST },
      to: { path: '^src/(lock/backends|items/stores|items/cache)/' },
    },
    ...Object.entries(ONE_HOME).map(([pkg, home]) => ({
      name: `one-home-${pkg}`,
      severity: 'error',
      from: { path: '^src/', pathNot: `^src/${esc(home)}|${TEST}` },
      to: { path: `node_modules/${esc(pkg)}/`, dependencyTypesNot: ['type-only'] },
    })),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node'],
    },
  },
}
