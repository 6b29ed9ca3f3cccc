/** Reads the manifest of a drill, and turns a verdict into an exit code. */
import { readFileSync } from 'node:fs'
import { type DrillManifest, drillOf } from '../../drill/spec/manifest.ts'
import type { DrillVerdict } from '../../drill/spec/status.ts'
import { IngotError, reasonOf } from '../../errors/error.ts'
import { parseManifest } from '../../kube/yaml.ts'
import { EXIT, type ExitCode } from '../line/command.ts'

const CODES: Readonly<Record<DrillVerdict, ExitCode>> = {
  Pass: EXIT.fine,
  Fail: EXIT.failed,
  Inconclusive: EXIT.inconclusive,
  Aborted: EXIT.aborted,
}

/** Returns the exit code of a verdict. */
export function exitOf(verdict: DrillVerdict): ExitCode {
  return CODES[verdict]
}

/** Changes of a manifest on the command line. */
export interface Changes {
  readonly name?: string | undefined
  readonly release?: string | undefined
}

/** Reads the manifest of a drill. Throws IngotError INPUT_UNREADABLE with every problem. */
export function readDrill(file: string, { name, release }: Changes): DrillManifest {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw new IngotError('INPUT_UNREADABLE', `"${file}" cannot be read: ${reasonOf(cause)}`, { cause })
  }
  const manifest = drillOf(parseManifest(text, file), file)
  const spec = release === undefined ? manifest.spec : { ...manifest.spec, target: { release } }
  return { ...manifest, spec, name: name ?? manifest.name }
}
