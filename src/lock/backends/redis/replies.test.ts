/** Errors of servers in rare states. Each is reported at once and correctly, and nothing is sent twice. */
import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../../std/clock.ts'
import { createScope } from '../../../std/scope.ts'
import {
  array,
  bulk,
  failure,
  handshake,
  healthyInfo,
  integer,
  type Reply,
  type RespServer,
  simple,
  startRespServer,
} from '../../../testing/tcp/resp.ts'
import { newToken } from '../../token.ts'
import { createRedisLock, type RedisLock } from './backend.ts'

let scope = createScope()
afterEach(async () => {
  await scope.close()
  scope = createScope()
})

type Script = (args: readonly string[]) => Reply | Promise<Reply>
const GRANT = bulk('1,7')
const soon = (ms = 5_000): AbortSignal => AbortSignal.timeout(ms)
const request = () => ({ key: 'k', token: newToken(), ttlMs: 5_000 })

async function serve(script: Script, info = healthyInfo()): Promise<RespServer> {
  const server = await startRespServer((args) => handshake(args, info) ?? script(args))
  scope.defer(async () => server[Symbol.asyncDispose]())
  return server
}

async function open(url: string): Promise<RedisLock<'within-epoch'>> {
  const lock = createRedisLock(url, { clock: systemClock }, { settings: { commandTimeoutMs: 200 } })
  scope.defer(async () => lock[Symbol.asyncDispose]())
  await lock.connect(soon())
  return lock
}

/** A cluster of scripted servers. Every slot belongs to the first. */
async function serveCluster(scripts: readonly Script[]): Promise<readonly RespServer[]> {
  const servers: RespServer[] = []
  const info = healthyInfo({ cluster_enabled: '1' })
  const node = (s: RespServer): string => array([bulk('127.0.0.1'), integer(s.port), bulk(String(s.port))])
  const slots = (): string =>
    array(servers.map((s, i) => array([integer(i === 0 ? 0 : 16_383), integer(i === 0 ? 16_382 : 16_383), node(s)])))
  for (const script of scripts) {
    const server = await serve((args) => {
      if (args[0] === 'CLUSTER') return args[1]?.toUpperCase() === 'INFO' ? bulk('cluster_state:ok\r\n') : slots()
      return script(args)
    }, info)
    servers.push(server)
  }
  return servers
}

const evaluations = (server: RespServer | undefined): number =>
  (server?.count('EVALSHA') ?? 0) + (server?.count('EVAL') ?? 0)

test('a script that the server does not know is sent once more, completely', async () => {
  const server = await serve(([name]) => (name === 'EVALSHA' ? failure('NOSCRIPT No matching script') : GRANT))
  const lock = await open(`redis://127.0.0.1:${server.port}`)
  expect(await lock.tryAcquire(request(), soon())).toMatchObject({ kind: 'granted', fence: 7n })
  expect([server.count('EVALSHA'), server.count('EVAL')]).toEqual([1, 1])
  expect(server.commands.find(([name]) => name === 'EVAL')?.[1]).toContain('local call = redis.call')
})

test('a caller that gives up while the script is unknown does not fail the others of its command', async () => {
  const abort = new AbortController()
  const server = await serve(async ([name]) => {
    if (name === 'EVALSHA') abort.abort(new Error('enough'))
    return name === 'EVALSHA' ? failure('NOSCRIPT No matching script') : GRANT
  })
  const lock = await open(`redis://127.0.0.1:${server.port}`)
  const [gone, kept] = [request(), request()]
  const attempts = await Promise.all([lock.tryAcquire(gone, abort.signal), lock.tryAcquire(kept, soon())])
  expect(attempts).toMatchObject([{ kind: 'unavailable' }, { kind: 'granted', fence: 7n }])
  // nothing was sent for the caller that gave up: it would lock the key without a holder
  const whole = server.commands.filter(([name]) => name === 'EVAL').map((command) => command.join(' '))
  expect(whole).toHaveLength(1)
  expect(whole[0]).toContain(kept.token)
  expect(whole[0]).not.toContain(gone.token)
})

test.each(['redis://127.0.0.1:1', 'redis+sentinel://127.0.0.1:1/main', 'redis+cluster://127.0.0.1:1'])(
  'a lock on %s that is used before connect reports that',
  async (url) => {
    const lock = createRedisLock(url, { clock: systemClock })
    scope.defer(async () => lock[Symbol.asyncDispose]())
    const [one, two] = [request(), request()]
    const answers = await Promise.all([
      lock.tryAcquire(one, soon()),
      lock.tryAcquire(two, soon()),
      lock.extend(one, soon()),
      lock.release(one, soon()),
      lock.inspect('k', soon()),
    ])
    for (const answer of answers) {
      expect(answer).toMatchObject({ kind: 'unavailable', error: { code: 'REDIS_UNREACHABLE' } })
      expect(answer.kind === 'unavailable' && answer.error.message).toContain('call connect first')
    }
  },
)

test('a demoted primary is left for its successor, and the command is not sent again', async () => {
  const server = await serve(() => failure("READONLY You can't write against a read only replica."))
  const lock = await open(`redis://127.0.0.1:${server.port}`)
  const attempt = await lock.tryAcquire(request(), soon())
  expect(attempt.kind === 'unavailable' && attempt.error.message).toContain('READONLY')
  const reconnected = async (): Promise<void> => {
    while (server.connections < 2) await new Promise((resolve) => setImmediate(resolve))
  }
  await reconnected()
  expect(evaluations(server)).toBe(1)
})

test.each(['LOADING Redis is loading the dataset in memory', 'MISCONF cannot persist', 'BUSY a script runs'])(
  'a server that responds with %s is unavailable, and gets one command',
  async (text) => {
    const server = await serve(() => failure(text))
    const lock = await open(`redis://127.0.0.1:${server.port}`)
    const attempt = await lock.tryAcquire(request(), soon())
    expect(attempt.kind === 'unavailable' && attempt.error.message).toContain(text)
    expect(evaluations(server)).toBe(1)
  },
)

test('a silent server fails the command after its timeout', async () => {
  const server = await serve(() => undefined)
  const lock = await open(`redis://127.0.0.1:${server.port}`)
  const began = performance.now()
  expect((await lock.tryAcquire(request(), soon())).kind).toBe('unavailable')
  expect(performance.now() - began).toBeLessThan(1_000)
})

test('earlier responses do not extend the timeout of a later command', async () => {
  let silent = false
  const server = await serve(() => (silent ? undefined : GRANT))
  const lock = await open(`redis://127.0.0.1:${server.port}`)
  for (let i = 0; i < 200; i++) expect((await lock.tryAcquire(request(), soon())).kind).toBe('granted')
  silent = true
  const began = performance.now()
  const attempts = await Promise.all([lock.tryAcquire(request(), soon()), lock.inspect('k', soon())])
  expect(attempts.map(({ kind }) => kind)).toEqual(['unavailable', 'unavailable'])
  expect(performance.now() - began).toBeLessThan(1_000)
})

test('without a connection an attempt fails at once, and is not sent later', async () => {
  const server = await serve(() => GRANT)
  const lock = await open(`redis://127.0.0.1:${server.port}`)
  server.drop()
  while ((await lock.inspect('k', soon())).kind !== 'unavailable') await Promise.resolve()
  const before = evaluations(server)
  const began = performance.now()
  expect((await lock.tryAcquire(request(), soon())).kind).toBe('unavailable')
  // sooner than the timeout of a command that was sent
  expect(performance.now() - began).toBeLessThan(150)
  while (server.connections < 2) await new Promise((resolve) => setImmediate(resolve))
  expect(evaluations(server)).toBe(before)
})

test('a cluster that is down is unavailable, and gets one command', async () => {
  const [server] = await serveCluster([() => failure('CLUSTERDOWN The cluster is down')])
  const lock = await open(`redis+cluster://127.0.0.1:${server?.port}`)
  const attempt = await lock.tryAcquire(request(), soon())
  expect(attempt.kind === 'unavailable' && attempt.error.message).toContain('CLUSTERDOWN')
  expect(evaluations(server)).toBe(1)
})

test('follows a moved slot', async () => {
  const servers = await serveCluster([() => failure(`MOVED 1 127.0.0.1:${servers[1]?.port}`), () => GRANT])
  const lock = await open(`redis+cluster://127.0.0.1:${servers[0]?.port}`)
  expect((await lock.tryAcquire(request(), soon())).kind).toBe('granted')
  expect(servers.map(evaluations)).toEqual([1, 1])
})

test('requests a migrating slot from its new server, with ASKING before it', async () => {
  const servers = await serveCluster([
    () => failure(`ASK 1 127.0.0.1:${servers[1]?.port}`),
    ([name]) => (name === 'ASKING' ? simple('OK') : GRANT),
  ])
  const lock = await open(`redis+cluster://127.0.0.1:${servers[0]?.port}`)
  expect((await lock.tryAcquire(request(), soon())).kind).toBe('granted')
  const names = servers[1]?.commands.map(([name]) => name) ?? []
  expect(names[names.indexOf('EVALSHA') - 1]).toBe('ASKING')
})

test('endless redirections between servers end with an error', async () => {
  const servers = await serveCluster([
    () => failure(`MOVED 1 127.0.0.1:${servers[1]?.port}`),
    () => failure(`MOVED 1 127.0.0.1:${servers[0]?.port}`),
  ])
  const lock = await open(`redis+cluster://127.0.0.1:${servers[0]?.port}`)
  expect((await lock.tryAcquire(request(), soon())).kind).toBe('unavailable')
  expect(servers.map(evaluations)).toEqual([3, 2])
})

test('a redirection that arrives after the caller gave up is not followed', async () => {
  const abort = new AbortController()
  const servers = await serveCluster([
    async () => {
      abort.abort(new Error('enough'))
      return failure(`MOVED 1 127.0.0.1:${servers[1]?.port}`)
    },
    () => GRANT,
  ])
  const lock = await open(`redis+cluster://127.0.0.1:${servers[0]?.port}`)
  expect((await lock.tryAcquire(request(), abort.signal)).kind).toBe('unavailable')
  // the response to a later command shows that the earlier redirection was processed
  await lock.inspect('k', soon())
  expect(evaluations(servers[1])).toBeLessThanOrEqual(1)
  expect(
    servers[1]?.commands.filter(([, sha]) => sha === servers[0]?.commands.find(([n]) => n === 'EVALSHA')?.[1]),
  ).toEqual([])
})

test.each([
  [{ redis_version: '6.2.14' }, 'needs Redis 7'],
  [{ role: 'slave' }, 'a primary is needed'],
  [{ maxmemory: '1000000', maxmemory_policy: 'allkeys-lru' }, 'would evict locks'],
  [{ cluster_enabled: '1' }, 'use redis+cluster://'],
])('refuses a server with %j at start', async (fields, reason) => {
  const server = await serve(() => GRANT, healthyInfo(fields))
  const lock = createRedisLock(`redis://127.0.0.1:${server.port}`, { clock: systemClock })
  const refusal: unknown = await lock.connect(soon()).catch((error: unknown) => error)
  expect(refusal).toMatchObject({ code: 'REDIS_UNSUITABLE' })
  expect(String(refusal)).toContain(reason)
})

test('a start makes one attempt, and stops when its signal aborts', async () => {
  const server = await startRespServer(() => undefined)
  scope.defer(async () => server[Symbol.asyncDispose]())
  const lock = createRedisLock(`redis://127.0.0.1:${server.port}`, { clock: systemClock })
  const abort = new AbortController()
  const connecting = lock.connect(abort.signal)
  while (server.connections === 0) await new Promise((resolve) => setImmediate(resolve))
  abort.abort(new Error('never mind'))
  await expect(connecting).rejects.toThrow('never mind')
})

test('a port without a listener gives one clear error', async () => {
  const server = await startRespServer(() => undefined)
  const { port } = server
  await server[Symbol.asyncDispose]()
  const lock = createRedisLock(`redis://:secret@127.0.0.1:${port}`, { clock: systemClock })
  const refused: unknown = await lock.connect(soon()).catch((error: unknown) => error)
  expect(refused).toMatchObject({ code: 'REDIS_UNREACHABLE' })
  expect(String(refused)).toContain('ECONNREFUSED')
  expect(String(refused)).not.toContain('secret')
})
