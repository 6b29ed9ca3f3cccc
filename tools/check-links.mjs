/**
 * Fails if a Markdown file of the project has a link to a file or heading that does not exist, or names such a file in
 * a code span. Also fails when it read suspiciously few links.
 */
import { execFileSync } from 'node:child_process'
import { countLinks, deadLinks, treeAt } from '../src/testing/markdown-links.ts'

const MIN_LINKS = 100

const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], {
  encoding: 'utf8',
})
const tree = treeAt('.')
// a file that was deleted and not yet committed is listed too
const files = listed.split('\n').filter((path) => path !== '' && tree.exists(path))
const dead = deadLinks(files, tree)
const seen = countLinks(files, tree)
for (const { file, target, reason } of dead) console.error(`${file}: ${target}: ${reason}`)
if (seen < MIN_LINKS) console.error(`only ${seen} links were read, expected at least ${MIN_LINKS}`)
console.log(`links: ${seen} in ${files.length} files, ${dead.length} dead`)
process.exitCode = dead.length > 0 || seen < MIN_LINKS ? 1 : 0
