import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Event } from '../drill/history.ts'
import { temporaryFolder } from '../testing/folder.ts'
import { createHistoryBuilder } from '../testing/history-builder.ts'
import { endProcesses, runIngot } from '../testing/process.ts'

endProcesses()
const folder = temporaryFolder()
let files = 0

function fileOf(text: string): string {
  const path = join(folder, `file-${++files}`)
  writeFileSync(path, text)
  return path
}

/** A run with one fault, in which `x` was sent before and after it. */
function historyFile(tell: (add: ReturnType<typeof createHistoryBuilder>, bytes: string) => void): string {
  const story = createHistoryBuilder()
  const bytes = createHash('sha256').update('x').digest('hex')
  story.fault('kill')
  tell(story, bytes)
  story.add({ op: 'h', f: 'phase', type: 'info', key: 'healed' })
  story.save('a', 'duplicate', { bytes })
  return fileOf(story.events.map((event: Event) => `${JSON.stringify(event)}\n`).join(''))
}

const AUDIT = `${JSON.stringify({ type: 'save', collection: 'c', key: 'id-a', content: btoa('x') })}\n`

test('a history that matches the store is valid: exit 0', async () => {
  const history = historyFile((story, bytes) => story.save('a', 'created', { bytes }))
  const { code, stdout, stderr } = await runIngot(['check', '--history', history, '--store', `audit:${fileOf(AUDIT)}`])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(/^nothing-lost +valid/)
})

test('a missing acknowledged item is a violation, shown with its operations: exit 1', async () => {
  const history = historyFile((story, bytes) => story.save('a', 'created', { bytes }))
  const args = ['check', '--history', history, '--store', `audit:${fileOf('')}`]
  const { code, stdout } = await runIngot(args)
  expect(code).toBe(1)
  expect(stdout).toMatch(/nothing-lost: content c\/a was acknowledged and is lost\n.* save invoke/)
  const json = await runIngot([...args, '--json'])
  expect(json.code).toBe(1)
  expect(JSON.parse(json.stdout)).toMatchObject({ kind: 'violated', torn: 0 })
})

test('judges only one collection of a store that others use too', async () => {
  const history = historyFile((story, bytes) => story.save('a', 'created', { bytes }))
  const other = JSON.stringify({ type: 'save', collection: 'd', key: 'id-b', content: btoa('y') })
  const args = ['check', '--history', history, '--store', `audit:${fileOf(`${AUDIT}${other}\n`)}`]
  expect(await runIngot(args)).toMatchObject({ code: 1 })
  expect(await runIngot([...args, '--collection', 'c'])).toMatchObject({ code: 0 })
})

test('a history with too little evidence is inconclusive: exit 3', async () => {
  const { code, stdout } = await runIngot(['check', '--history', fileOf(''), '--store', `audit:${fileOf('')}`])
  expect(code).toBe(3)
  expect(stdout).toMatch(/inconclusive\n$/)
})

test.each([
  [['--history', '/nowhere', '--store', 'audit:/nowhere'], /cannot read the history "\/nowhere"/],
  [['--history', fileOf(''), '--store', 'ftp://x'], /--store is "ftp:\/\/x", write/],
  [['--history', fileOf(''), '--store', `audit:${fileOf('')}`, '--fencing', 'maybe'], /--fencing is "maybe"/],
])('refuses %j with exit code 2', async (args, message) => {
  const { code, stderr } = await runIngot(['check', ...args])
  expect(stderr).toMatch(message)
  expect(code).toBe(2)
})
