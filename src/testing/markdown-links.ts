/** Finds dead links in Markdown files: missing files, headings and paths of the project. */
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import Slugger from 'github-slugger'
import { lexer, type Token, walkTokens } from 'marked'

export interface DeadLink {
  readonly file: string
  readonly target: string
  readonly reason: string
}

/** Access of the checker to the project. */
export interface Tree {
  /** Returns the text of a Markdown file. */
  read(path: string): string
  /** Returns true if a file or folder exists, or if a pattern with `*` matches at least one. */
  exists(path: string): boolean
}

/** A code span is a path of the project if it begins with one of these folders. */
const PROJECT_PATH = /^(?:src|charts|tools|docs|loadtests|examples|k8s|bin)\/[\w.*/-]+$/
const EXTERNAL = /^(?:[a-z][a-z+.-]*:|\/\/)/i
const HTML_ANCHOR = /<a\s[^>]*(?:id|name)=["']([^"']+)["']/gi

interface Outline {
  readonly anchors: ReadonlySet<string>
  readonly links: readonly string[]
  readonly paths: readonly string[]
}

/** Returns the plain text of inline tokens, from which GitHub makes the anchor of a heading. */
function plainText(tokens: readonly Token[] | undefined, otherwise: string): string {
  if (tokens === undefined) return otherwise
  return tokens.map((token) => ('tokens' in token ? plainText(token.tokens, token.raw) : textOf(token))).join('')
}

function textOf(token: Token): string {
  return 'text' in token && typeof token.text === 'string' ? token.text : token.raw
}

function outlineOf(markdown: string): Outline {
  const slugger = new Slugger()
  const anchors = new Set([...markdown.matchAll(HTML_ANCHOR)].map(([, id = '']) => id))
  const links: string[] = []
  const paths: string[] = []
  void walkTokens(lexer(markdown), (token) => {
    if (token.type === 'heading') anchors.add(slugger.slug(unescaped(plainText(token.tokens, token.raw))))
    if (token.type === 'link' || token.type === 'image') links.push(String('href' in token ? token.href : ''))
    if (token.type === 'codespan' && PROJECT_PATH.test(textOf(token))) paths.push(textOf(token))
  })
  return { anchors, links, paths }
}

/** Reverts the HTML escaping of Marked, because anchors are made from the visible text. */
function unescaped(text: string): string {
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&')
}

/**
 * Returns the dead links of `files` (paths from the root of the project). Links to other hosts are not followed. A code
 * span such as `src/cli.ts` counts as a link, because documents name files in that way.
 */
export function deadLinks(files: readonly string[], tree: Tree): readonly DeadLink[] {
  const outlines = new Map<string, Outline>()
  const outline = (path: string): Outline => {
    const known = outlines.get(path) ?? outlineOf(tree.read(path))
    outlines.set(path, known)
    return known
  }
  const problemOf = (file: string, target: string): string | undefined => {
    const [path = '', anchor] = decodeURIComponent(target).split('#', 2)
    const resolved = path === '' ? file : normalize(join(dirname(file), path)).replace(/\/$/, '')
    if (!tree.exists(resolved)) return 'there is no such file'
    if (anchor === undefined || !resolved.endsWith('.md')) return undefined
    return outline(resolved).anchors.has(anchor) ? undefined : 'there is no such heading'
  }
  return files.flatMap((file) => {
    const { links, paths } = outline(file)
    const inside = links.filter((target) => !EXTERNAL.test(target))
    return [
      ...inside.map((target) => ({ file, target, reason: problemOf(file, target) })),
      ...paths.map((target) => ({ file, target, reason: tree.exists(target) ? undefined : 'there is no such file' })),
    ].flatMap(({ reason, ...link }) => (reason === undefined ? [] : [{ ...link, reason }]))
  })
}

/** Returns the number of links, anchors and paths in the files: a checker that reads nothing finds no dead links. */
export function countLinks(files: readonly string[], tree: Tree): number {
  return files
    .map((file) => outlineOf(tree.read(file)))
    .reduce((sum, { links, paths }) => sum + links.length + paths.length, 0)
}

/** Returns the tree below `root`. */
export function treeAt(root: string): Tree {
  return {
    read: (path) => readFileSync(join(root, path), 'utf8'),
    exists: (path) => (path.includes('*') ? globSync(path, { cwd: root }).length > 0 : existsSync(join(root, path))),
  }
}
