/** Tests that the pods leave changes of the topology to the operator while it steers. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { untilTrue } from '../../../src/std/until.ts'
import { present } from '../../../src/testing/present.ts'
import { findRedisPrograms, startProcesses } from '../../../src/testing/redis/processes.ts'
import { freePorts } from '../../../src/testing/tcp/ports.ts'
import { runKeeper } from './keeper-shell.ts'

const client = (name: string, idle: number, more = ''): string =>
  `id=7 addr=10.0.0.9:41000 laddr=10.0.0.1:6379 fd=12 name=${name} age=90 idle=${idle} flags=N db=0 ${more}`

const SEEN = client('ingot-operator:7', 1)
const OTHERS = client('', 0, 'user=ingot lib-name=ioredis')

/** Replaces the clock: each round happens at a time that the script sets. */
const CLOCK = 'at=1000; now() { echo "$at"; }'

/** Three empty servers that have met, so that r-0 would form a cluster. */
const UNFORMED = `
  redis_hosts() { printf 'r-0.d\\nr-1.d\\nr-2.d\\n'; }
  resolve() { echo "$1 10.0.0.1"; }
  cluster_snapshot() { printf 'r-0.d m0 a - 0 0 3\\nr-1.d m1 b - 0 0 3\\nr-2.d m2 c - 0 0 3\\n'; }
  meet_peers() { log met; }
  info= stable_rounds=5`

/** Sentinel s-0 knows a Sentinel that has left, so that it would reset its list. */
const DEPARTED = `
  entries_of() { printf 's-1.d sentinel\\ns-2.d sentinel\\nr-1.d slave\\nr-2.d slave\\ns-4.d sentinel,s_down\\n'; }
  sentinel_report_of() { echo "$1 r-0.d master 2 2 1 0 yes"; }`

const FORMS = 'ADDSLOTSRANGE'
const FORGETS = 'SENTINEL RESET m'

interface Round {
  readonly at: number
  readonly clients: readonly string[]
}

/** Runs rounds of the first pod of a cluster. Returns its calls of redis-cli. `inject` replaces functions. */
function clusterRounds(rounds: readonly Round[], inject = ''): string {
  return runRounds(`${UNFORMED}\n${inject}`, 'cluster_round', rounds, { MODE: 'cluster', CLUSTER_MASTERS: '3' })
}

/** The same for the first Sentinel. */
function sentinelRounds(rounds: readonly Round[], inject = ''): string {
  const round = 'look_for_operator local_sentinel; forget_departed'
  return runRounds(`${DEPARTED}\n${inject}`, round, rounds, { SELF: 's-0.d' })
}

function runRounds(prepare: string, round: string, rounds: readonly Round[], env: Readonly<Record<string, string>>) {
  const replies = `*'CLIENT LIST') cat "\${0%/*}/clients" ;;`
  const lines = rounds.map(
    ({ at, clients }) => `at=${at}; printf '%s\\n' "${clients.join('" "')}" >"$RUN/../clients"; ${round} || :`,
  )
  return runKeeper([CLOCK, prepare, ...lines].join('\n'), { replies, env }).calls
}

describe.each([
  ['the first pod of a cluster', clusterRounds, FORMS],
  ['a Sentinel that forgets departed peers', sentinelRounds, FORGETS],
])('%s', (_pod, run, step) => {
  test('steers while there is no operator', () => {
    expect(run([{ at: 1_000, clients: [OTHERS] }])).toContain(step)
  })

  test('yields to an operator that was active within five seconds', () => {
    expect(run([{ at: 1_000, clients: [OTHERS, SEEN] }])).not.toContain(step)
    expect(run([{ at: 1_000, clients: [client('ingot-operator:12', 5)] }])).not.toContain(step)
  })

  test.each([
    ['is silent', client('ingot-operator:7', 6)],
    ['only observes', client('ingot-observer:7', 0)],
    ['has no number', client('ingot-operator:', 0)],
    ['has another name', client('my-ingot-operator:7x', 0)],
    ['has the name in another field', client('', 0, 'lib-name=ingot-operator:7 user=ingot-operator:7')],
  ])('does not yield to a client that %s', (_how, line) => {
    expect(run([{ at: 1_000, clients: [line] }])).toContain(step)
  })

  test('steers again 30 s after the last sighting', () => {
    const seen = { at: 1_000, clients: [SEEN] }
    expect(run([seen, { at: 1_029, clients: [OTHERS] }])).not.toContain(step)
    expect(run([seen, { at: 1_030, clients: [OTHERS] }])).toContain(step)
    const again = [seen, { at: 1_029, clients: [SEEN] }, { at: 1_058, clients: [OTHERS] }]
    expect(run(again)).not.toContain(step)
    expect(run([...again, { at: 1_059, clients: [OTHERS] }])).toContain(step)
  })

  test('does not wait longer because the clock was set back', () => {
    expect(
      run([
        { at: 5_000, clients: [SEEN] },
        { at: 1_000, clients: [OTHERS] },
      ]),
    ).toContain(step)
  })

  test.each([
    ['that ignores the operator', 'operator_steers() { return 1; }'],
    ['that sees no connection', 'has_operator() { cat >/dev/null; return 1; }'],
  ])('would act in a variant %s', (_what, variant) => {
    expect(run([{ at: 1_000, clients: [SEEN] }], variant)).toContain(step)
  })
})

test('peers are met and a moved primary is followed while the operator steers', () => {
  const inject = 'meet_peers() { local_cli CLUSTER MEET; }; follow_moved_primary() { local_cli CLUSTER REPLICATE; }'
  const calls = clusterRounds([{ at: 1_000, clients: [SEEN] }], inject)
  expect(calls).toContain('CLUSTER MEET')
  expect(calls).toContain('CLUSTER REPLICATE')
})

test('the wait of STABLE_ROUNDS begins again after the operator', () => {
  const script = [CLOCK, UNFORMED, 'operator_seen_at=1000', 'reconcile', 'echo "$stable_rounds"'].join('\n')
  expect(runKeeper(script, { replies: 'none) ;;', env: { MODE: 'cluster' } }).out).toBe('0')
})

describe('on a real server', () => {
  const kinds = ['server', 'sentinel'] as const
  test.for(kinds)('the connection is seen in the list of clients: %s', async (kind, { skip }) => {
    present(await findRedisPrograms('redis-server'), skip)
    const [port = 0] = await freePorts(1)
    const config = ['user admin on >secret allkeys allchannels +@all']
    await using servers = await startProcesses('redis-server', [{ port, kind, config }])
    await untilTrue('a reply', async () => (await servers.cli(port, 'PING').catch(() => '')) === 'PONG', {
      withinMs: 20_000,
    })
    const steers = (): string => {
      const ports = { REDIS_CLI: 'redis-cli', REDIS_PORT: String(port), SENTINEL_PORT: String(port) }
      const command = kind === 'sentinel' ? 'local_sentinel' : 'local_cli'
      const script = `look_for_operator ${command}; if operator_steers; then echo yields; else echo steers; fi`
      return runKeeper(script, { replies: '', env: ports }).out
    }
    expect(steers()).toBe('steers')
    for (const [name, expected] of [
      ['ingot-observer:3', 'steers'],
      ['ingot-operator:3', 'yields'],
    ] as const) {
      const socket = connect(port, '127.0.0.1')
      socket.write(`CLIENT SETNAME ${name}\r\n`)
      await once(socket, 'data')
      expect(steers(), name).toBe(expected)
      socket.destroy()
    }
  })
})
