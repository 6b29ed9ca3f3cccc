/** The texts in which a secret value can appear in logs and objects. Pure. */

/** A shorter value would also match ordinary text. */
const MIN_LENGTH = 4
/** Part of a longer secret that is a secret by itself: a line of a key, a text in JSON. */
const MIN_PART = 16
/** Fewer characters of base64 match by chance. */
const MIN_CORE = 8

/** Returns the values and their parts: the password of a URL, lines of a key, texts in JSON. */
export function secretTexts(value: string): readonly string[] {
  const whole = value.trim()
  const lines = whole.includes('\n') ? whole.split(/\r?\n/).filter((line) => isPart(line)) : []
  return unique(
    [whole, ...passwordsOf(whole), ...lines, ...textsInJson(whole)].filter((text) => text.length >= MIN_LENGTH),
  )
}

const isPart = (text: string): boolean => text.length >= MIN_PART && !text.startsWith('-----')

function passwordsOf(value: string): readonly string[] {
  const urls = value.match(/[a-z][a-z0-9+.-]*:\/\/[^\s"']+/gi) ?? []
  return urls.flatMap((url) => {
    const [, password = ''] = /^[^/]+\/\/[^/@]*?:([^/]*)@/.exec(url) ?? []
    const inQuery = [...url.matchAll(/[?&][^=&]*(?:password|token|secret)[^=&]*=([^&#]+)/gi)].map(([, one = '']) => one)
    return [password, ...inQuery].flatMap((one) => [one, decoded(one)])
  })
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function textsInJson(value: string): readonly string[] {
  if (!/^[[{]/.test(value)) return []
  return [...value.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, text = '']) => text).filter(isPart)
}

/** Returns the text as it is, in JSON, percent-encoded, in hex, and within any text in base64. */
export function formsOf(text: string): readonly string[] {
  const bytes = Buffer.from(text)
  const inJson = JSON.stringify(text).slice(1, -1)
  const encoded = encodeURIComponent(text)
  const lower = encoded.replaceAll(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase())
  const form = new URLSearchParams([['', text]]).toString().slice(1)
  const forms = [text, inJson, JSON.stringify(inJson).slice(1, -1), encoded, lower, form, bytes.toString('hex')]
  return unique([...forms, ...base64Forms(bytes)])
}

/**
 * Base64 of a longer text contains one of three forms of the secret, by its offset modulo 3. The characters at both ends
 * mix with the neighbours and are cut off (RFC 4648).
 */
function base64Forms(bytes: Buffer): readonly string[] {
  const whole = [bytes.toString('base64'), bytes.toString('base64url')]
  const cores = [0, 1, 2].flatMap((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replaceAll('=', '')
    const first = Math.ceil((offset * 8) / 6)
    const last = Math.floor(((offset + bytes.length) * 8) / 6)
    const core = text.slice(first, last)
    return core.length >= MIN_CORE ? [core, core.replaceAll('+', '-').replaceAll('/', '_')] : []
  })
  return [...whole, ...cores]
}

function unique(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)]
}
