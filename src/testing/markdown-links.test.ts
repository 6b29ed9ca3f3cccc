import { describe, expect, test } from 'vitest'
import { deadLinks, type Tree } from './markdown-links.ts'

function treeOf(files: Readonly<Record<string, string>>): Tree {
  return { read: (path) => files[path] ?? '', exists: (path) => Object.hasOwn(files, path) || path === 'docs' }
}

const targetsOf = (files: Readonly<Record<string, string>>): readonly string[] =>
  deadLinks(Object.keys(files), treeOf(files)).map(({ file, target }) => `${file}: ${target}`)

describe('dead links in Markdown', () => {
  test('a link to a missing file is reported, relative to the folder of its file', () => {
    expect(targetsOf({ 'docs/a.md': '[b](b.md) [c](../c.md) [d](d.md)', 'docs/b.md': '', 'c.md': '' })).toEqual([
      'docs/a.md: d.md',
    ])
  })

  test('a link to a missing heading is reported, in the same file and in another', () => {
    const files = { 'a.md': '# One\n[x](#one) [y](#two) [z](b.md#three) [w](b.md#four)', 'b.md': '## Three\n' }
    expect(targetsOf(files)).toEqual(['a.md: #two', 'a.md: b.md#four'])
  })

  test('anchors are those of GitHub: code, punctuation, repeated headings, and anchors in HTML', () => {
    const headings = '## The `a.b` case: x & y\n## Twice\n## Twice\n<a id="by-hand"></a>\n'
    const links = '[1](#the-ab-case-x--y) [2](#twice) [3](#twice-1) [4](#by-hand) [5](#twice-2)'
    expect(targetsOf({ 'a.md': headings + links })).toEqual(['a.md: #twice-2'])
  })

  test('a code span that names a missing file of the project is reported', () => {
    expect(targetsOf({ 'a.md': '`src/x.ts`, `src/y.ts` and `npm run x`', 'src/x.ts': '' })).toEqual(['a.md: src/y.ts'])
  })

  test('links to other hosts and text in code blocks are ignored', () => {
    expect(
      targetsOf({ 'a.md': '[x](https://example.org/none) <mailto:a@b.example>\n\n```\n[y](none.md)\n```\n' }),
    ).toEqual([])
  })
})
