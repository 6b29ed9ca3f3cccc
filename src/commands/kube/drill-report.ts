/** `kubectl ingot drill report`: the report of a finished drill, in one of four forms. */
import { htmlOfReport } from '../../drill/report/run/html/page.ts'
import { jsonOfReport } from '../../drill/report/run/json.ts'
import { junitOfReport } from '../../drill/report/run/junit.ts'
import { markdownOfReport } from '../../drill/report/run/markdown.ts'
import { type ReadReport, readReport } from '../../inspect/drills/read.ts'
import { defineCommand, EXIT, usageError } from '../line/command.ts'
import { save } from '../line/save.ts'
import { NAMESPACE_OPTIONS, withNamespace } from './connect.ts'

const FORMATS: Readonly<Record<string, (read: ReadReport) => string>> = {
  html: ({ report, html }) => html ?? htmlOfReport(report),
  md: ({ report }) => markdownOfReport(report),
  json: ({ report }) => jsonOfReport(report),
  junit: ({ report }) => junitOfReport(report),
}

/** Formats by the ending of a file. */
const ENDINGS: Readonly<Record<string, string>> = { html: 'html', htm: 'html', md: 'md', json: 'json', xml: 'junit' }

export const drillReport = defineCommand({
  positionals: ['NAME'],
  help: `Prints the report of a drill, or writes it to a file: one HTML page that needs no network, Markdown, JSON, or JUnit
XML for CI. It reads the store of the drill: a ConfigMap, or a bucket with the credentials of the drill's Secret. A
report on a volume is named, not read.

Exit code: 0 whatever the verdict is, 2 if there is no report.`,
  examples: [
    'kubectl ingot drill report weekly-29 -n shop --out report.html',
    'kubectl ingot drill report weekly-29 -n shop --format junit > drill.xml',
  ],
  failed: EXIT.usage,
  options: {
    ...NAMESPACE_OPTIONS,
    format: { type: 'string', value: 'html|md|json|junit', summary: 'default: by the ending of --out, else md' },
    out: { type: 'string', value: 'FILE', summary: 'write this file, default: the standard output' },
  },
  run({ values, positionals: [name = ''] }, io) {
    const format = formatOf(values)
    return withNamespace(values, io, async (place) => {
      const text = format(await readReport(place, name, io.signal))
      if (values.out === undefined) {
        io.stdout.write(text)
        return EXIT.fine
      }
      const onNoReader = (): void => void io.stderr.write(`waiting for a reader of the pipe "${values.out}"\n`)
      await save(chunksOf(text), values.out, { signal: io.signal, onNoReader })
      io.stderr.write(`wrote ${values.out}\n`)
      return EXIT.fine
    })
  },
})

async function* chunksOf(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text)
}

function formatOf({ format, out }: { readonly format: string | undefined; readonly out: string | undefined }) {
  const ending = out?.slice(out.lastIndexOf('.') + 1).toLowerCase() ?? ''
  const found = FORMATS[format ?? ENDINGS[ending] ?? 'md']
  if (found === undefined) throw usageError(`--format is "${format}", write html, md, json or junit`)
  return found
}
