import { describe, expect, test } from 'vitest'
import { consoleBlocksOf, isPrinted, programOf, runBlock } from './console-blocks.ts'

const BLOCK = [
  'text',
  '```console',
  '$ A=1 echo one \\',
  '  two',
  'one two',
  '$ true',
  '```',
  '',
  '```json',
  '{}',
  '```',
]

describe('console blocks of Markdown', () => {
  test('a block is read as commands with their lines and outputs', () => {
    expect(consoleBlocksOf(BLOCK.join('\n'))).toEqual([
      [
        { line: 3, command: 'A=1 echo one \\\n  two', output: 'one two' },
        { line: 6, command: 'true', output: '' },
      ],
    ])
    expect(consoleBlocksOf(BLOCK.join('\n')).flat().map(programOf)).toEqual(['echo', 'true'])
  })

  test('an ellipsis stands for any text, and dates and rates may differ', () => {
    expect(
      isPrinted(
        'HTTP/1.1 200 OK\n…\n\n{"id":"j1-…","at":"2026-01-01T00:00:00.000Z"}',
        'HTTP/1.1 200 OK\r\na: b\r\n\r\n{"id":"j1-00","at":"2030-12-31T23:59:59.999Z"}',
      ),
    ).toBe(true)
    expect(isPrinted('2 items (0.1 s, 19,646/s)', '2 items (12.0 s, 7/s)')).toBe(true)
  })

  test('another status, another body and further lines are differences', () => {
    expect(isPrinted('{"status":"created"}', '{"status":"duplicate"}')).toBe(false)
    expect(isPrinted('one', 'one\ntwo')).toBe(false)
    expect(isPrinted('a…c', 'abd')).toBe(false)
  })

  test('a run reports the commands that print something else or fail, with their lines', async () => {
    const text = ['```console', '$ X=port; echo $X', 'port', '$ echo $X', 'other', '$ false', '```'].join('\n')
    const [block = []] = consoleBlocksOf(text)
    const differences = await runBlock(block, { cwd: '/', translate: (line) => line })
    expect(differences.map(({ line }) => line)).toEqual([4, 6])
  })
})
