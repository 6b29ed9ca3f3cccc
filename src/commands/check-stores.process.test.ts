import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createRecorder, type Recorder } from '../drill/history.ts'
import { createContent, JSON_MEDIA } from '../drill/workloads/content.ts'
import { createSender } from '../drill/workloads/sender.ts'
import { createRandom } from '../std/random.ts'
import { createScope, type Scope } from '../std/scope.ts'
import { temporaryFolder } from '../testing/folder.ts'
import { startPostgres } from '../testing/postgres/server.ts'
import { present } from '../testing/present.ts'
import { endProcesses, runIngot } from '../testing/process.ts'
import { startLegacyStore } from '../testing/proofs/torture/legacy-store.ts'
import { startService } from '../testing/service.ts'
import { freePorts } from '../testing/tcp/ports.ts'

endProcesses()
const folder = temporaryFolder()

interface Place {
  /** Settings of the service. */
  readonly env: Readonly<Record<string, string>>
  /** The argument of `ingot check --store`. */
  readonly store: string
}

type Skip = (reason: string) => never

const PLACES: Readonly<Record<string, (scope: Scope, data: string, skip: Skip) => Promise<Place>>> = {
  sqlite: async (_scope, data) => ({ env: {}, store: `sqlite:${data}` }),
  async http(scope) {
    const [port = 0] = await freePorts(1)
    const legacy = await startLegacyStore({ folder, port, latencyMs: 1, fencing: 'on' })
    scope.defer(() => legacy[Symbol.asyncDispose]())
    return { env: { ...legacy.env(port), INGOT_LOCK_URL: 'memory:' }, store: `http://127.0.0.1:${port}/audit` }
  },
  async postgres(scope, _data, skip) {
    const server = present(await startPostgres(), skip)
    scope.defer(() => server[Symbol.asyncDispose]())
    return { env: { INGOT_STORE_URL: server.url }, store: server.url }
  },
}

/** Sends three contents through the service, and records a simulated fault between them. */
async function tellStory(url: string, recorder: Recorder): Promise<void> {
  const sender = createSender({ record: (entry) => recorder.record(entry), collection: 'c', timeoutMs: 10_000 })
  const random = createRandom(1)
  const contents = Array.from({ length: 12 }, (_, n) => createContent(n, random))
  const [a, b, c] = contents.filter(({ media }) => media === JSON_MEDIA)
  if (a === undefined || b === undefined || c === undefined) throw new Error('too few contents')
  await sender.save(
    'p',
    url,
    [a, b].map((content) => ({ content, spelling: 0 })),
    'batch',
  )
  const fault = { process: 'nemesis', op: 'f', f: 'fault', key: 'told' } as const
  recorder.record({ ...fault, type: 'invoke' })
  recorder.record({ ...fault, type: 'ok', proof: 'told' })
  recorder.record({ process: 'drill', op: 'h', f: 'phase', type: 'info', key: 'healed' })
  await sender.save(
    'p',
    url,
    [a, c].map((content) => ({ content, spelling: 1 })),
    'stream',
  )
}

test.for(Object.keys(PLACES))(
  'judges a history by the content of %s: 0 valid, 1 violated, 3 inconclusive',
  async (name, { skip }) => {
    await using scope = createScope()
    const data = join(folder, name)
    const history = join(folder, `${name}.ndjson`)
    const place = await PLACES[name]?.(scope, data, skip)
    if (place === undefined) throw new Error(`no place ${name}`)
    const service = await startService({ data, env: place.env })
    scope.defer(async () => void (await service.kill()))
    const recorder = createRecorder(history, () => 0)
    const args = ['check', '--history', history, '--store', place.store, '--json']
    const unsaid = await runIngot(args)
    expect(unsaid, unsaid.stdout).toMatchObject({ code: 3, stderr: '' })
    expect(JSON.parse(unsaid.stdout)).toMatchObject({ kind: 'inconclusive', events: 0 })

    await tellStory(service.url, recorder)
    const valid = await runIngot(args)
    expect(valid, valid.stdout).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(valid.stdout)).toMatchObject({
      kind: 'valid',
      checks: { 'nothing-lost': { figures: { stored: 3 } } },
    })

    // an acknowledgement of an item that was never saved
    const lost = { process: 'p', op: 'x', f: 'save', key: 'gone', collection: 'c', tMono: 1, tWall: 1 }
    const events = [
      { ...lost, type: 'invoke', bytes: 'gone', seq: recorder.count + 1 },
      { ...lost, type: 'ok', result: 'created', id: 'j1-gone', seq: recorder.count + 2 },
    ]
    appendFileSync(history, events.map((event) => `${JSON.stringify(event)}\n`).join(''))
    const violated = await runIngot(args)
    expect(violated, violated.stdout).toMatchObject({ code: 1, stderr: '' })
    expect(JSON.parse(violated.stdout)).toMatchObject({
      kind: 'violated',
      checks: { 'nothing-lost': { kind: 'violated' } },
    })
  },
)
