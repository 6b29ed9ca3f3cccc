/** Reports as files of a folder, such as the volume of a claim. */
import { randomUUID } from 'node:crypto'
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { IngotError, reasonOf } from '../../../errors/error.ts'
import { createBlobReportStore } from './blobs.ts'
import type { ReportStore } from './store.ts'

/** Returns a store in this folder, which is created when it is missing. */
export function createFolderReportStore(folder: string): ReportStore {
  return createBlobReportStore({
    put: (key, text, signal) => onDisk(join(folder, key), signal, (path) => replace(path, text)),
    get: (key, signal) => onDisk(join(folder, key), signal, readExisting),
    addressOf: (key) => join(folder, key),
  })
}

/** The new text is on disk under another name before it gets its own, so a reader never sees a part of it. */
async function replace(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const partial = `${path}.${randomUUID()}.part`
  try {
    await synced(partial, 'wx', (file) => file.writeFile(text))
    await rename(partial, path)
    await synced(dirname(path), 'r')
  } catch (cause) {
    await rm(partial, { force: true })
    throw cause
  }
}

type File = Awaited<ReturnType<typeof open>>

async function synced(
  path: string,
  flags: string,
  work: (file: File) => Promise<void> = async () => {},
): Promise<void> {
  const file = await open(path, flags)
  try {
    await work(file)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function readExisting(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return undefined
    throw cause
  }
}

/** A disk that is full may have room later; a folder without the right to write has not. */
const PASSING: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', 'EIO', 'ESTALE', 'ETIMEDOUT'])

async function onDisk<T>(path: string, signal: AbortSignal, work: (path: string) => Promise<T>): Promise<T> {
  signal.throwIfAborted()
  try {
    return await work(path)
  } catch (cause) {
    const code = PASSING.has(codeOf(cause)) ? 'REPORT_STORE_UNAVAILABLE' : 'REPORT_STORE_REFUSED'
    throw new IngotError(code, `"${path}": ${reasonOf(cause)}`, { cause })
  }
}

function codeOf(cause: unknown): unknown {
  return cause instanceof Error && 'code' in cause ? cause.code : undefined
}
