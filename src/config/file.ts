/** Files that a setting names. What is wrong with one is said with that setting's name, and without what the file holds. */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { IngotError, reasonOf } from '../errors/error.ts'

/** Throws IngotError CONFIG_INVALID when it cannot be read. `setting` is the name by which it was given. */
export function readSettingFile(setting: string, file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new IngotError('CONFIG_INVALID', `${setting}: "${file}" cannot be read: ${reasonOf(cause)}`, { cause })
  }
}

/** As parsed JSON. Throws IngotError CONFIG_INVALID when it cannot be read, or is none. */
export function readJsonSetting(setting: string, file: string): unknown {
  const text = readSettingFile(setting, file)
  try {
    return JSON.parse(text)
  } catch (cause) {
    // the engine quotes the text around the place, and that may be a password
    const where = / at position \d+.*$/.exec(reasonOf(cause))?.[0] ?? ''
    throw new IngotError('CONFIG_INVALID', `${setting}: "${file}" is not well-formed JSON${where}`)
  }
}

/** Certificates in PEM. Throws IngotError CONFIG_INVALID when the file cannot be read, or does not begin with one. */
export function readCertificates(setting: string, file: string): string {
  const text = readSettingFile(setting, file)
  // what is none would be taken for no authority at all, and every connection be refused
  if (isCertificate(text)) return text
  throw new IngotError('CONFIG_INVALID', `${setting}: "${file}" holds no certificate in PEM`)
}

function isCertificate(text: string): boolean {
  try {
    return new X509Certificate(text).raw.length > 0
  } catch {
    // the parser's words are those of OpenSSL's sources
    return false
  }
}
