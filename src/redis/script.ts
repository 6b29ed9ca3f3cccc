/** Lua scripts as files, known to the server by the digest of their text. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** One string of the protocol. */
export function bulk(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`
}

export interface Script {
  readonly name: string
  readonly text: string
  /** What EVALSHA calls it. */
  readonly sha: string
  /** How a call begins on the wire that names the script by its digest: EVALSHA. */
  readonly known: string
  /** How a call begins that brings the script along: EVAL. */
  readonly whole: string
}

/** Reads `name.lua` beside the module at `base`. Throws when the file is missing, which only a broken build can cause. */
export function loadScript(name: string, base: string): Script {
  return scriptOf(name, readFileSync(new URL(`./${name}.lua`, base), 'utf8'))
}

export function scriptOf(name: string, text: string): Script {
  const sha = createHash('sha1').update(text).digest('hex')
  return { name, text, sha, known: bulk('EVALSHA') + bulk(sha), whole: bulk('EVAL') + bulk(text) }
}

/** What a call brings besides its script, made the plain way. */
export function scriptBody(keys: readonly [string, ...string[]], args: readonly string[]) {
  const parts = [String(keys.length), ...keys, ...args]
  return { key: keys[0], body: parts.map(bulk).join(''), parts: parts.length }
}
