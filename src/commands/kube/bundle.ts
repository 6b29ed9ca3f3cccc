/** `kubectl ingot bundle`: a support bundle without secrets. */
import { type Bundle, makeBundle } from '../../inspect/bundle/bundle.ts'
import { readFacts } from '../../inspect/read.ts'
import { version } from '../../std/version.ts'
import { defineCommand, EXIT } from '../line/command.ts'
import { save } from '../line/save.ts'
import { isJson, OUTPUT_OPTION, RELEASE_OPTIONS, withRelease, writeJson } from './connect.ts'

export const bundle = defineCommand({
  positionals: ['[FILE]'],
  help: `
Writes a support bundle of a release: its objects, events, logs of its containers and of the operator, metrics, and the
output of status and doctor, as FILE (tar.gz). Default: ingot-bundle-RELEASE-TIME.tar.gz in the current folder.

It has no secrets: of Secrets it has the names and the keys only. Values of Secrets are searched for in all files, in
plain text, base64, hex and percent-encoding, and replaced, as is what looks like a password, a token or a private key.
Values of Secrets that the user may not read cannot be searched for; the list "searched" names the others. Look through
the bundle before you send it.`,
  examples: ['kubectl ingot bundle -n shop', 'kubectl ingot bundle -n shop shop.tar.gz'],
  failed: EXIT.usage,
  options: { ...RELEASE_OPTIONS, ...OUTPUT_OPTION },
  run({ values, positionals: [file] }, io) {
    const json = isJson(values.output)
    return withRelease(values, io, async (session) => {
      const { clock, signal, stderr, stdout } = io
      const facts = await readFacts({ ...session, version: version(), clock, depth: 'all', signal })
      const made = await makeBundle(session.api, facts, signal)
      const path = file ?? defaultName(made)
      const onNoReader = (): void => void stderr.write(`waiting for a reader of the pipe "${path}"\n`)
      await save(chunksOf(made.archive), path, { signal, onNoReader, mode: 0o600 })
      if (json) writeJson(io, { ...made.manifest, file: path })
      else stdout.write(textOf(path, made))
      return EXIT.fine
    })
  },
})

function defaultName({ manifest: { release, at } }: Bundle): string {
  return `ingot-bundle-${release}-${at.slice(0, 19).replaceAll(/[-:]/g, '')}.tar.gz`
}

async function* chunksOf(archive: Uint8Array): AsyncGenerator<Buffer> {
  yield Buffer.from(archive)
}

function textOf(path: string, { archive, manifest }: Bundle): string {
  const { files, redactions, searchedSecrets, notRead } = manifest
  const lines = [
    `wrote ${path}: ${files.length} files, ${Math.ceil(archive.length / 1_024)} KiB, ${redactions} redactions`,
    `searched for the values of: ${searchedSecrets.join(', ') || 'no Secret'}`,
    ...notRead.map(({ part, why }) => `not read: ${part}: ${why}`),
  ]
  return `${lines.join('\n')}\n`
}
