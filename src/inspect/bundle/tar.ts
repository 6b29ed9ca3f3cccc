/** Writes a tar archive in the format ustar (POSIX.1-1988). Pure. */

export interface Entry {
  /** Relative, with slashes. */
  readonly path: string
  readonly content: string
}

const BLOCK = 512
const NAME = 100
const PREFIX = 155

/** Returns the archive. Every file has mode 0600 and the same time. Throws RangeError for a path that does not fit. */
export function tarOf(entries: readonly Entry[], mtimeMs: number): Buffer {
  const parts = entries.flatMap(({ path, content }) => {
    const data = Buffer.from(content)
    const padding = Buffer.alloc((BLOCK - (data.length % BLOCK)) % BLOCK)
    return [headerOf(path, data.length, mtimeMs), data, padding]
  })
  // two empty blocks end the archive
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)])
}

function octal(value: number, digits: number): string {
  return `${value.toString(8).padStart(digits, '0')}\0`
}

function headerOf(path: string, size: number, mtimeMs: number): Buffer {
  const { name, prefix } = splitPath(path)
  const header = Buffer.alloc(BLOCK)
  const field = (text: string, offset: number): void => void header.write(text, offset, 'utf8')
  field(name, 0)
  field(octal(0o600, 7), 100)
  field(octal(0, 7), 108)
  field(octal(0, 7), 116)
  field(octal(size, 11), 124)
  field(octal(Math.floor(mtimeMs / 1_000), 11), 136)
  // the checksum counts its own field as spaces
  field(' '.repeat(8), 148)
  field('0', 156)
  field('ustar\x0000', 257)
  field(prefix, 345)
  const sum = header.reduce((total, byte) => total + byte, 0)
  field(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return header
}

/** A long path is split at a slash into prefix and name. */
function splitPath(path: string): { readonly name: string; readonly prefix: string } {
  if (Buffer.byteLength(path) <= NAME) return { name: path, prefix: '' }
  for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
    const [prefix, name] = [path.slice(0, slash), path.slice(slash + 1)]
    if (Buffer.byteLength(name) <= NAME && Buffer.byteLength(prefix) <= PREFIX) return { name, prefix }
  }
  throw new RangeError(`the path does not fit into a tar archive: ${path}`)
}
