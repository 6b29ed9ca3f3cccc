/** The architecture, as rules. Read top to bottom: std <- identity <- lock <- items <- http <- cmd. */
const ONE_HOME = {
  ioredis: 'redis',
  pg: 'postgres',
  fastify: 'http',
  '@fastify/swagger': 'http',
  '@kubernetes/client-node': 'kube',
  opossum: 'lock/breaker',
  redlock: 'lock/redlock',
  'lru-cache': 'items/recent',
  pino: 'telemetry',
  'prom-client': 'telemetry',
}
const TEST = '\\.test\\.ts$|^src/testing/|/contract\\.ts$'
/** Who may import whom inside src/. A folder absent from a list is out of reach. */
const MAY = {
  std: [],
  telemetry: ['std'],
  config: ['std'],
  identity: ['std'],
  redis: ['std', 'telemetry'],
  postgres: ['std', 'telemetry'],
  kube: ['std', 'telemetry'],
  lock: ['std', 'telemetry'],
  items: ['std', 'telemetry', 'identity', 'lock'],
  http: ['std', 'telemetry', 'identity', 'items', 'lock'],
  client: ['std'],
  operator: ['std', 'telemetry', 'kube'],
  drill: ['std', 'telemetry', 'redis', 'kube', 'lock', 'items', 'identity', 'client'],
}
const CONNECTIONS = 'redis|postgres|kube'
/** Of the drills on Kubernetes: which there are, and what they came to. */
const E2E_PURE = 'src/testing/e2e/(plan\\.ts$|judgement/|install/values\\.ts$)'
const esc = (s) => s.replace(/[/@.-]/g, '\\$&')
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-orphans', severity: 'error', from: { orphan: true, pathNot: [TEST, '^src/(cli|cmd/)'] }, to: {} },
    {
      name: 'not-to-testing',
      comment: 'shipping code never imports fakes',
      severity: 'error',
      from: { path: '^src/', pathNot: TEST },
      to: { path: TEST },
    },
    {
      name: 'only-cli-to-cmd',
      severity: 'error',
      // the programs of the proofs are called as commands are
      from: { path: '^src/', pathNot: '^src/(cli\\.ts$|cmd/|testing/program\\.ts$)' },
      to: { path: '^src/cmd/' },
    },
    {
      name: 'pure-identity',
      comment: 'what an item is depends on its bytes alone',
      severity: 'error',
      from: { path: '^src/identity/', pathNot: TEST },
      to: { pathNot: '^src/(identity|std)/|^(node:)?(crypto|buffer)$' },
    },
    {
      name: 'pure-checkers',
      comment: 'a verdict is a function of a history',
      severity: 'error',
      from: { path: '^src/drill/check/', pathNot: TEST },
      to: { pathNot: '^src/(drill/(check/|history\\.ts$)|std/)' },
    },
    {
      name: 'pure-judgement',
      comment: 'what a drill came to is a function of its record',
      severity: 'error',
      from: { path: `^${E2E_PURE}`, pathNot: '\\.test\\.ts$' },
      to: { pathNot: `^(${E2E_PURE}|src/drill/(check/|history\\.ts$|merge\\.ts$))` },
    },
    {
      name: 'pure-plans',
      comment: 'plan.ts and render/ do no I/O',
      severity: 'error',
      from: { path: '^src/operator/.*(plan|render/[^/]+)\\.ts$' },
      to: { path: '^src/(kube|telemetry)/', dependencyTypesNot: ['type-only'] },
    },
    ...Object.entries(MAY).map(([dir, may]) => ({
      name: `layer-${dir}`,
      severity: 'error',
      from: { path: `^src/${dir}/`, pathNot: `${TEST}|^src/(lock|items)/[a-z-]+/` },
      to: { path: '^src/', pathNot: `^src/(${[dir, ...may].join('|')})/` },
    })),
    ...['lock', 'items'].flatMap((dir) => [
      {
        name: `${dir}-adapters`,
        comment: 'an adapter sees its port, what the port may see, and one connection',
        severity: 'error',
        from: { path: `^src/${dir}/([a-z-]+)/`, pathNot: TEST },
        to: {
          path: '^src/',
          pathNot: `^src/(${dir}/[^/]+\\.ts$|${dir}/$1/|std/|telemetry/|identity/|(${CONNECTIONS})/)`,
        },
      },
      {
        name: `${dir}-core-knows-no-adapter`,
        severity: 'error',
        from: { path: `^src/${dir}/[^/]+\\.ts$`, pathNot: `${TEST}|^src/${dir}/registry\\.ts$|^src/lock/index\\.ts$` },
        to: { path: `^src/${dir}/[a-z-]+/` },
      },
    ]),
    {
      name: 'no-adapter-outside-cmd',
      comment: 'only cmd/ and the registries choose',
      severity: 'error',
      from: {
        path: '^src/(http|drill|operator|items|client)/',
        pathNot: `${TEST}|^src/items/([a-z-]+/|registry\\.ts$)`,
      },
      to: { path: '^src/(lock|items)/[a-z-]+/' },
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
