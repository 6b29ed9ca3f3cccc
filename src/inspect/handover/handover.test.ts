/** The request for a hand-over: what is refused before it, and each way in which it ends. */
import { describe, expect, test } from 'vitest'
import { apiError, type KubeApi } from '../../kube/client/api.ts'
import type { KubeObject } from '../../kube/client/resource.ts'
import { factsOf, type ReleaseObjects, releaseObjects, set } from '../../testing/inspect/release.ts'
import { annotationOf, HANDOVER_ANNOTATION, handoverState, requireHandover } from './request.ts'
import { requestHandover } from './run.ts'

const topologyIn = (o: ReleaseObjects): KubeObject => o.get('RedisTopology', 'ingot-redis')

function after(change: (o: ReleaseObjects) => void) {
  const objects = releaseObjects('sentinel')
  change(objects)
  return factsOf(objects)
}

describe('before the request', () => {
  test.each<[string, (o: ReleaseObjects) => void, string, RegExp]>([
    [
      'no definition',
      (o) => {
        o.remove('CustomResourceDefinition', 'redistopologies.ingot.dev')
      },
      'TOPOLOGY_NOT_FOUND',
      /RedisTopology is not installed.*a pod hands over when it is deleted/,
    ],
    ['no topology', (o) => o.remove('RedisTopology', 'ingot-redis'), 'TOPOLOGY_NOT_FOUND', /has no Redis/],
    ['no Lease', (o) => o.remove('Lease', 'ingot-operator'), 'OPERATOR_NOT_LEADING', /no Lease/],
    [
      'a stale Lease',
      (o) => set(o.get('Lease', 'ingot-operator'), ['spec', 'renewTime'], '2026-11-29T11:00:00.000000Z'),
      'OPERATOR_NOT_LEADING',
      /the operator of ingot-system does not renew its Lease/,
    ],
    [
      'a Lease that was released',
      (o) => set(o.get('Lease', 'ingot-operator'), ['spec', 'holderIdentity'], ''),
      'OPERATOR_NOT_LEADING',
      /does not renew/,
    ],
    ['a pause', (o) => set(topologyIn(o), ['spec', 'paused'], true), 'HANDOVER_NOT_ALLOWED', /paused to false/],
    [
      'policy Observe',
      (o) => set(topologyIn(o), ['spec', 'policy'], 'Observe'),
      'HANDOVER_NOT_ALLOWED',
      /set it to Heal/,
    ],
    [
      'a single server',
      (o) => set(topologyIn(o), ['spec', 'mode'], 'Standalone'),
      'HANDOVER_NOT_ALLOWED',
      /there is no replica/,
    ],
  ])('%s refuses it', (_what, change, code, message) => {
    const require = (): unknown => requireHandover(after(change), undefined)
    expect(require).toThrow(expect.objectContaining({ code }) as Error)
    expect(require).toThrow(message)
  })

  test('a pod of another set refuses it', () => {
    const require = (): unknown =>
      requireHandover(
        after(() => {}),
        'ingot-redis-9',
      )
    expect(require).toThrow(expect.objectContaining({ code: 'HANDOVER_POD_UNKNOWN' }) as Error)
    expect(require).toThrow(/ingot-redis-0, ingot-redis-1, ingot-redis-2/)
  })

  test('a Lease that may not be read does not', () => {
    const facts = { ...after(() => {}), leases: { kind: 'unread', why: '403' } as const }
    expect(requireHandover(facts, 'ingot-redis-1').metadata.name).toBe('ingot-redis')
  })
})

test('a status about another request is none', () => {
  const topology = topologyIn(releaseObjects('sentinel'))
  const request = { id: '0a1b2c3d', pod: undefined }
  expect(handoverState(topology, request)).toEqual({ kind: 'waiting', phase: 'Requested' })
  set(topology, ['status', 'handover'], { request: 'ffffffff', phase: 'Done', message: 'of another' })
  expect(handoverState(topology, request)).toEqual({ kind: 'waiting', phase: 'Requested' })
  set(topology, ['status', 'handover'], { request: '0a1b2c3d', phase: 'Running', message: '' })
  expect(handoverState(topology, request)).toEqual({ kind: 'waiting', phase: 'Running' })
  expect(annotationOf({ id: '0a1b2c3d', pod: 'r-1' })).toBe('0a1b2c3d/r-1')
})

/** Plays the operator: `reads` are what it has written to the status at each read; the last one stays. */
async function handOver(reads: readonly ((topology: KubeObject, id: string) => void)[], timeoutMs = 60_000) {
  const objects = releaseObjects('sentinel')
  const topology = topologyIn(objects)
  const facts = structuredClone(factsOf(objects))
  const asked: string[] = []
  let read = 0
  let nowMs = 0
  const api = {
    async patch(_resource: unknown, _at: unknown, patch: { metadata: { annotations: Record<string, string> } }) {
      asked.push(patch.metadata.annotations[HANDOVER_ANNOTATION] ?? '')
      return topology
    },
    async get() {
      reads[Math.min(read++, reads.length - 1)]?.(topology, asked[0]?.split('/')[0] ?? '')
      return structuredClone(topology)
    },
  }
  const report = await requestHandover(facts, {
    api: api as unknown as KubeApi,
    clock: {
      monotonicMs: () => nowMs,
      wallMs: () => nowMs,
      sleep: async (ms) => void (nowMs += ms),
      timer: () => ({ cancel: () => undefined }),
    },
    timeoutMs,
    pod: 'ingot-redis-1',
    onRequested: () => undefined,
    signal: new AbortController().signal,
  })
  return { report, asked, nowMs }
}

const phase =
  (name: string, message = '') =>
  (topology: KubeObject, id: string): void =>
    set(topology, ['status', 'handover'], { request: id, phase: name, message })

const moved = (topology: KubeObject): void =>
  set(topology, ['status', 'lastFailover'], {
    at: '2026-11-29T12:00:05Z',
    from: 'ingot-redis-0',
    to: 'ingot-redis-1',
    planned: true,
    writeGapMs: 84,
    reason: 'HandOver',
  })

describe('a request', () => {
  test('that is done has message, servers and gap, also if the operator reports the failover later', async () => {
    const { report, asked } = await handOver([
      () => {},
      phase('Running'),
      phase('Done', 'handed over'),
      () => {},
      moved,
    ])
    expect(asked).toEqual([expect.stringMatching(/^[0-9a-f]{8}\/ingot-redis-1$/)])
    expect(report).toEqual({
      kind: 'IngotHandover',
      version: 1,
      namespace: 'shop',
      release: 'ingot',
      topology: 'ingot-redis',
      request: asked[0]?.split('/')[0],
      outcome: 'Done',
      message: 'handed over',
      from: 'ingot-redis-0',
      to: 'ingot-redis-1',
      writeGapMs: 84,
    })
  })

  test('never shows the failover before it', async () => {
    const { report } = await handOver([phase('Done', 'it was primary already')])
    expect(report).not.toHaveProperty('from')
    expect(report.outcome).toBe('Done')
  })

  test('that is refused has the reason of the operator', async () => {
    const { report } = await handOver([phase('Refused', 'no replica is in sync')])
    expect(report).toMatchObject({ outcome: 'Refused', message: 'no replica is in sync' })
  })

  test('that is not carried out ends at the timeout', async () => {
    const { report, nowMs } = await handOver([() => {}], 3_000)
    expect(report).toMatchObject({ outcome: 'TimedOut', message: expect.stringContaining('within 3 s') as string })
    expect(nowMs).toBe(3_000)
  })

  test('survives an API server that fails for a while', async () => {
    const fails = (): void => {
      throw apiError(503, 'restarting')
    }
    const { report } = await handOver([fails, fails, phase('Done', 'ok')])
    expect(report.outcome).toBe('Done')
  })

  test('ends with an error that will not pass', async () => {
    const fails = (): void => {
      throw apiError(403, 'forbidden')
    }
    await expect(handOver([fails])).rejects.toMatchObject({ code: 'KUBE_FORBIDDEN' })
  })
})
