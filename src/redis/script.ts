/** Lua scripts as files, known to the server by the digest of their text. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

export interface Script {
  readonly name: string
  readonly text: string
  /** What EVALSHA calls it. */
  readonly sha: string
}

/** Reads `name.lua` beside the module at `base`. Throws when the file is missing, which only a broken build can cause. */
export function loadScript(name: string, base: string): Script {
  const text = readFileSync(new URL(`./${name}.lua`, base), 'utf8')
  return { name, text, sha: createHash('sha1').update(text).digest('hex') }
}
