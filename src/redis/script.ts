/** Lua scripts in files. The server identifies a script by the digest of its text. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** Returns one bulk string of the protocol. */
export function bulk(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`
}

export interface Script {
  readonly name: string
  readonly text: string
  /** SHA-1 of the text, for EVALSHA. */
  readonly sha: string
  /** Start of a call by digest (EVALSHA), encoded. */
  readonly known: string
  /** Start of a call with the text (EVAL), encoded. */
  readonly whole: string
}

/** Reads `name.lua` next to the module at `base`. Throws if the file is missing, which only a broken build can cause. */
export function loadScript(name: string, base: string): Script {
  return scriptOf(name, readFileSync(new URL(`./${name}.lua`, base), 'utf8'))
}

export function scriptOf(name: string, text: string): Script {
  const sha = createHash('sha1').update(text).digest('hex')
  return { name, text, sha, known: bulk('EVALSHA') + bulk(sha), whole: bulk('EVAL') + bulk(text) }
}

/** Encodes the keys and arguments of a call. */
export function scriptBody(keys: readonly [string, ...string[]], args: readonly string[]) {
  const parts = [String(keys.length), ...keys, ...args]
  return { key: keys[0], body: parts.map(bulk).join(''), parts: parts.length }
}
