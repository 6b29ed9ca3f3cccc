/** Reads files that a setting names. Errors name the setting, and never show the content of the file. */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { IngotError, reasonOf } from '../errors/error.ts'

/**
 * Returns the text of the file. `setting` is the name of the setting. Throws IngotError CONFIG_INVALID if the file
 * cannot be read.
 */
export function readSettingFile(setting: string, file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new IngotError('CONFIG_INVALID', `${setting}: "${file}" cannot be read: ${reasonOf(cause)}`, { cause })
  }
}

/** Returns the parsed JSON. Throws IngotError CONFIG_INVALID if the file cannot be read or is not JSON. */
export function readJsonSetting(setting: string, file: string): unknown {
  const text = readSettingFile(setting, file)
  try {
    return JSON.parse(text)
  } catch (cause) {
    // the engine's message quotes the surrounding text, which may be a password
    const where = / at position \d+.*$/.exec(reasonOf(cause))?.[0] ?? ''
    throw new IngotError('CONFIG_INVALID', `${setting}: "${file}" is not well-formed JSON${where}`)
  }
}

/**
 * Returns certificates in PEM. Throws IngotError CONFIG_INVALID if the file cannot be read or does not begin with one.
 */
export function readCertificates(setting: string, file: string): string {
  const text = readSettingFile(setting, file)
  // otherwise Node would use no authority at all and refuse every connection
  if (isCertificate(text)) return text
  throw new IngotError('CONFIG_INVALID', `${setting}: "${file}" contains no certificate in PEM`)
}

function isCertificate(text: string): boolean {
  try {
    return new X509Certificate(text).raw.length > 0
  } catch {
    // the parser's message is an internal one of OpenSSL
    return false
  }
}
