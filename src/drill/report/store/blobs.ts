/**
 * A store of reports on blobs, such as files of a folder or objects of a bucket. The index of a report is written last
 * and has the digests of its files, so a report is complete or absent.
 */
import { createHash } from 'node:crypto'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { IngotError } from '../../../errors/error.ts'
import { type ReportFiles, type ReportStore, requireName, requireNames } from './store.ts'

/** Keys have folders, separated by `/`. A blob is replaced at once. */
export interface Blobs {
  put(key: string, text: string, signal: AbortSignal): Promise<void>
  /** Resolves with undefined if there is none. */
  get(key: string, signal: AbortSignal): Promise<string | undefined>
  /** Returns the address of a blob, for people. */
  addressOf(key: string): string
}

const INDEX = Compile(
  Type.Object({ of: Type.String(), at: Type.String(), sha256: Type.Record(Type.String(), Type.String()) }),
)
const LATEST = Compile(Type.Object({ name: Type.String(), at: Type.String() }))

const indexKey = (name: string): string => `${name}/index.json`
/** The names of reports have no underscore, so no report has this folder. */
const latestKey = (of: string): string => `_latest/${of}.json`

export function createBlobReportStore(blobs: Blobs): ReportStore {
  async function filesOf(
    name: string,
    sha256: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<ReportFiles> {
    const files: Record<string, string> = {}
    for (const [file, digest] of Object.entries(sha256)) {
      const key = `${name}/${requireName(file)}`
      const text = await blobs.get(key, signal)
      if (text === undefined || digestOf(text) !== digest)
        throw damaged(`${blobs.addressOf(key)} was changed or removed`)
      files[file] = text
    }
    return files
  }

  async function setLatest(of: string, entry: { name: string; at: string }, signal: AbortSignal): Promise<void> {
    const before = await latestOf(of, signal)
    if (before !== undefined && Date.parse(before.at) > Date.parse(entry.at)) return
    await blobs.put(latestKey(of), JSON.stringify(entry), signal)
  }

  async function latestOf(of: string, signal: AbortSignal): Promise<{ name: string; at: string } | undefined> {
    const text = await blobs.get(latestKey(requireName(of)), signal)
    return text === undefined ? undefined : parsed(LATEST, text, blobs.addressOf(latestKey(of)))
  }

  return {
    async save(name, report, signal) {
      requireNames(name, report)
      const { of, at, files } = report
      const sha256: Record<string, string> = {}
      for (const [file, text] of Object.entries(files)) {
        if (file === 'index.json') throw new IngotError('REPORT_NAME_INVALID', 'index.json is the name of the index')
        await blobs.put(`${name}/${file}`, text, signal)
        sha256[file] = digestOf(text)
      }
      await blobs.put(indexKey(name), JSON.stringify({ of, at, sha256 }), signal)
      await setLatest(of, { name, at }, signal)
      const [first] = Object.keys(files)
      return blobs.addressOf(first === undefined ? indexKey(name) : `${name}/${first}`)
    },
    async load(name, signal) {
      const text = await blobs.get(indexKey(requireName(name)), signal)
      if (text === undefined) return undefined
      const { of, at, sha256 } = parsed(INDEX, text, blobs.addressOf(indexKey(name)))
      return { of, at, files: await filesOf(name, sha256, signal) }
    },
    async latest(of, signal) {
      return (await latestOf(of, signal))?.name
    },
  }
}

function parsed<T>(schema: { Check(value: unknown): value is T }, text: string, address: string): T {
  try {
    const value: unknown = JSON.parse(text)
    if (schema.Check(value)) return value
  } catch (cause) {
    throw damaged(`${address} is not JSON`, cause)
  }
  throw damaged(`${address} has another form`)
}

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex')

function damaged(message: string, cause?: unknown): IngotError {
  return new IngotError('REPORT_DAMAGED', message, { cause })
}
