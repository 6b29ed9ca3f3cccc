/**
 * Debian's package records as NDJSON: `apt-cache dumpavail | node convert.mjs KIND > FILE`
 *
 *   packages  each record whole, its fields as strings: no two are the same
 *   sources   of each record the source package it was built from, as {source, maintainer, homepage}: packages built
 *             from one source say the same, so this has natural repeats
 *
 * The format of the records: deb-control(5). A line that begins with a space continues the field above it.
 */
import { once } from 'node:events'
import { createInterface } from 'node:readline'

const KINDS = {
  packages: (record) => record,
  sources: (record) => ({
    // "Source: name (version)" where it differs from the package's own, absent where name and version are the same
    source: (record.Source ?? record.Package).split(' ', 1)[0],
    maintainer: record.Maintainer ?? null,
    homepage: record.Homepage ?? null,
  }),
}

async function* records(lines) {
  let record = {}
  let field
  for await (const line of lines) {
    if (line === '') {
      if (field !== undefined) yield record
      record = {}
      field = undefined
    } else if (line.startsWith(' ') || line.startsWith('\t')) {
      record[field] += `\n${line.slice(1)}`
    } else {
      field = line.slice(0, line.indexOf(':'))
      record[field] = line.slice(field.length + 1).trim()
    }
  }
  if (field !== undefined) yield record
}

const shape = KINDS[process.argv[2]]
if (shape === undefined) {
  console.error(`usage: apt-cache dumpavail | node convert.mjs ${Object.keys(KINDS).join('|')} > FILE`)
  process.exit(2)
}
for await (const record of records(createInterface({ input: process.stdin }))) {
  if (!process.stdout.write(`${JSON.stringify(shape(record))}\n`)) await once(process.stdout, 'drain')
}
