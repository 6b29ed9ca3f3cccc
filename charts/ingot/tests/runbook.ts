/** The sections of a document. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import GithubSlugger from 'github-slugger'
import { CHART } from './helm.ts'

/** Returns the links to all headings of a document in the root folder, such as `RUNBOOK.md#metrics`. */
export function anchorsOf(document: string): readonly string[] {
  const text = readFileSync(join(CHART, '..', '..', document), 'utf8')
  const slugger = new GithubSlugger()
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => `${document}#${slugger.slug(heading)}`)
}
