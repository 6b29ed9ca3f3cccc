/**
 * `npm run bench:report`: writes the results in out/bench into docs/benchmarks.md. A benchmark without a result keeps
 * its recorded section. Exits with 2 when there is no result at all.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { ingestSection, locksSection, withSection } from '../src/testing/bench-page.ts'

const PAGE = 'docs/benchmarks.md'
const SECTIONS = { ingest: ingestSection, locks: locksSection }

const fileOf = (name) => `out/bench/${name}.json`
const present = Object.keys(SECTIONS).filter((name) => existsSync(fileOf(name)))
if (present.length === 0) {
  console.error('there is no result in out/bench: run npm run bench:ingest or npm run bench:locks first')
  process.exit(2)
}
const page = present.reduce(
  (text, name) => withSection(text, name, SECTIONS[name](JSON.parse(readFileSync(fileOf(name), 'utf8')))),
  readFileSync(PAGE, 'utf8'),
)
writeFileSync(PAGE, page)
console.log(`${PAGE}: ${present.join(', ')} written; run npm run format and read the prose again`)
