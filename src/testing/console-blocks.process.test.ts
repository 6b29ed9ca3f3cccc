/** Runs the console blocks of README and `docs/` against a real service and compares what the documents print. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ROOT } from '../drill/checkout.ts'
import {
  type ConsoleCommand,
  consoleBlocksOf,
  type Difference,
  isPrinted,
  programOf,
  runBlock,
} from './console-blocks.ts'
import { temporaryFolder } from './folder.ts'
import { type Service, startService } from './service.ts'

const DOCUMENTS = ['README.md', ...globSync('docs/*.md', { cwd: ROOT }).toSorted()]

/** Programs that a block may use to be run here. */
const RUN = ['curl', 'printf', 'export', 'for']
/** Commands that need servers, a cluster or minutes. Each is tested elsewhere or by its own command. */
const NOT_RUN: readonly (readonly [RegExp, string])[] = [
  [/^npm (start|test|run|ci)/, 'started by other tests'],
  [/^(helm|kind|docker|kubectl)\b/, 'needs a cluster or Docker'],
  [/^k6 run/, 'the conversion of its output has tests of its own'],
  [/^(INGOT_\w+=|node examples\/)/, 'needs a lock service'],
  [/^npx ingot (kube|drill|check|verify|migrate|epoch)/, 'needs a cluster, the history of a load or a database'],
  [/^(TOKEN=|redis-cli)/, 'makes a secret, or needs Redis'],
]

const isRun = (block: readonly ConsoleCommand[]): boolean =>
  block.every((command) => RUN.includes(programOf(command)) || /^npx ingot (ingest|export)/.test(command.command))

const blocksOf = (document: string): readonly (readonly ConsoleCommand[])[] =>
  consoleBlocksOf(readFileSync(join(ROOT, document), 'utf8'))

/** Replaces the default address of the documents by that of the test's service. */
const translator = (service: Service, folder: string) => (text: string) =>
  text
    .replaceAll(/http:\/\/(127\.0\.0\.1|localhost):8080/g, service.url)
    .replaceAll(/(?<![\w/.])localhost:8080/g, service.url)
    .replaceAll('/tmp/', `${folder}/`)

async function differencesOf(blocks: readonly (readonly ConsoleCommand[])[]): Promise<readonly Difference[]> {
  const folder = temporaryFolder()
  await using service = await startService({ data: join(folder, 'data') })
  const differences: Difference[] = []
  for (const block of blocks)
    differences.push(...(await runBlock(block, { cwd: ROOT, translate: translator(service, folder) })))
  return differences
}

describe('console blocks', () => {
  test.each(DOCUMENTS)(
    '%s: every block that one service can answer prints what the document says',
    async (document) => {
      const blocks = blocksOf(document).filter(isRun)
      if (blocks.length > 0) expect(await differencesOf(blocks)).toEqual([])
    },
  )

  test('enough blocks are run, and each other block has a reason', () => {
    const all = DOCUMENTS.flatMap(blocksOf)
    expect(all.filter(isRun).length).toBeGreaterThanOrEqual(8)
    const unexplained = all
      .filter((block) => !isRun(block))
      .flat()
      .filter((command) => !RUN.includes(programOf(command)))
      .filter(({ command }) => !NOT_RUN.some(([pattern]) => pattern.test(command)))
    expect(unexplained.map(({ command }) => command)).toEqual([])
  })

  test('README shows the output of the service at its start', async () => {
    const folder = temporaryFolder()
    await using service = await startService({ data: join(folder, 'data') })
    const [start] = blocksOf('README.md')
      .flat()
      .filter(({ command }) => command === 'npm start')
    const printed = service
      .stdout()
      .replaceAll(service.url, 'http://127.0.0.1:8080')
      .replaceAll(join(folder, 'data'), './data')
    expect(isPrinted(start?.output ?? '', printed)).toBe(true)
  })

  test('a document with a wrong status is reported, with the line', async () => {
    const post = `$ curl -s localhost:8080/v1/collections/orders/items -H 'content-type: application/json' -d '{"order": 1}'`
    const text = [
      '```console',
      post,
      '{"id":"j1-…","status":"created",…}',
      post,
      '{"id":"j1-…","status":"created",…}',
      '```',
    ]
    expect((await differencesOf(consoleBlocksOf(text.join('\n')))).map(({ line }) => line)).toEqual([4])
  })
})
