/** Writes a file that is either complete under its name or absent. Devices and pipes are written to directly. */
import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { chmod, type FileHandle, lstat, open, readlink, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { IngotError, reasonOf } from '../../errors/error.ts'

export interface Waiting {
  readonly signal: AbortSignal
  /** Called if a named pipe has no reader yet. */
  readonly onNoReader: () => void
  /** Permissions of a new file. Default: as the umask allows. */
  readonly mode?: number
}

/** Writes the chunks to `path`. Rejects with IngotError OUTPUT_UNWRITABLE, and with errors of `chunks`. */
export async function save(chunks: AsyncIterable<Buffer>, path: string, waiting: Waiting): Promise<void> {
  const { signal } = waiting
  const target = await onDisk(path, () => targetOf(path))
  switch (target.kind) {
    case 'file':
      return replace(chunks, { ...target, created: waiting.mode }, path)
    case 'pipe':
      return writeThrough(chunks, await openPipe(path, waiting), { path, signal })
    case 'stream':
      return writeThrough(chunks, await onDisk(path, () => open(path, constants.O_WRONLY | constants.O_NOCTTY)), {
        path,
        signal,
      })
    default:
      return target satisfies never
  }
}

type Target =
  /** A file to create or replace; `mode` is that of the existing file. */
  | { readonly kind: 'file'; readonly real: string; readonly mode?: number }
  | { readonly kind: 'pipe' }
  /** A device, or an open file of a process such as /dev/stdout. */
  | { readonly kind: 'stream' }

async function targetOf(path: string): Promise<Target> {
  const found = await stat(path).catch(ignoreMissing)
  if (found === undefined) return { kind: 'file', real: await danglingTarget(path) }
  if (found.isFIFO()) return { kind: 'pipe' }
  // the system refuses a folder when it is opened for writing
  if (!found.isFile() || /^\/(dev|proc)\//.test(resolve(path))) return { kind: 'stream' }
  return { kind: 'file', real: await realpath(path), mode: found.mode & 0o777 }
}

/**
 * Returns the real path of a file that does not exist yet. For a dangling link, this is the file that the link names.
 */
async function danglingTarget(path: string): Promise<string> {
  let at = resolve(path)
  for (let links = 0; links < 40; links++) {
    const folder = await realpath(dirname(at))
    const link = await linkOf(join(folder, basename(at)))
    if (link === undefined) return join(folder, basename(at))
    at = resolve(folder, link)
  }
  throw Object.assign(new Error('ELOOP: too many symbolic links'), { code: 'ELOOP', syscall: 'readlink' })
}

async function linkOf(path: string): Promise<string | undefined> {
  const found = await lstat(path).catch(ignoreMissing)
  return found?.isSymbolicLink() === true ? readlink(path) : undefined
}

function ignoreMissing(cause: unknown): undefined {
  if (codeOf(cause) !== 'ENOENT') throw cause
  return undefined
}

function codeOf(cause: unknown): unknown {
  return cause instanceof Error && 'code' in cause ? cause.code : undefined
}

interface Replaced {
  readonly real: string
  readonly mode?: number
  /** Permissions of a new file. */
  readonly created?: number | undefined
}

/** Writes under a temporary name next to the file, until all of it is on disk. */
async function replace(chunks: AsyncIterable<Buffer>, { real, mode, created }: Replaced, path: string): Promise<void> {
  const partial = `${real}.${randomUUID()}.part`
  const file = await onDisk(path, () => open(partial, 'wx', created))
  try {
    await fill(file, chunks, path)
    // keeps the permissions of the former file
    if (mode !== undefined) await onDisk(path, () => chmod(partial, mode))
    await onDisk(path, () => rename(partial, real))
    await onDisk(path, () => syncFolder(dirname(real)))
  } catch (failure) {
    await rm(partial, { force: true })
    throw failure
  }
}

async function fill(file: FileHandle, chunks: AsyncIterable<Buffer>, path: string): Promise<void> {
  try {
    for await (const chunk of chunks) await onDisk(path, () => writeAll(file, chunk))
    await onDisk(path, () => file.sync())
  } finally {
    await file.close()
  }
}

async function writeAll(file: FileHandle, chunk: Buffer, signal?: AbortSignal): Promise<void> {
  for (let at = 0; at < chunk.length; ) at += await writeSome(file, chunk.subarray(at), signal)
}

/** Writes a part of the chunk. A full named pipe returns EAGAIN. */
async function writeSome(file: FileHandle, chunk: Buffer, signal?: AbortSignal): Promise<number> {
  try {
    return (await file.write(chunk)).bytesWritten
  } catch (cause) {
    if (codeOf(cause) !== 'EAGAIN') throw cause
    await sleep(PIPE_PAUSE_MS, undefined, { signal })
    return 0
  }
}

const PIPE_PAUSE_MS = 10

/** Syncs the folder, because a new name is durable only then. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** Waits for a reader. Never blocks in a system call, because a blocked thread would survive Ctrl-C. */
async function openPipe(path: string, { signal, onNoReader }: Waiting): Promise<FileHandle> {
  for (let tries = 0; ; tries++) {
    try {
      return await open(path, constants.O_WRONLY | constants.O_NONBLOCK)
    } catch (cause) {
      // ENXIO: the pipe has no reader yet
      if (codeOf(cause) !== 'ENXIO') throw unwritable(path, cause)
    }
    if (tries === 0) onNoReader()
    await aborting(signal, () => sleep(PIPE_PAUSE_MS, undefined, { signal }))
  }
}

interface Through {
  readonly path: string
  readonly signal: AbortSignal
}

async function writeThrough(chunks: AsyncIterable<Buffer>, file: FileHandle, { path, signal }: Through): Promise<void> {
  try {
    for await (const chunk of chunks) {
      await aborting(signal, () => onDisk(path, () => writeAll(file, chunk, signal)))
    }
  } finally {
    await file.close()
  }
}

/** Runs the step. Rejects with the signal's reason if it has aborted. */
async function aborting<T>(signal: AbortSignal, step: () => Promise<T>): Promise<T> {
  try {
    return await step()
  } catch (failure) {
    signal.throwIfAborted()
    throw failure
  }
}

/** Runs a step of writing `path`. Its failure is one of the disk, not of the service. */
async function onDisk<T>(path: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step()
  } catch (cause) {
    throw unwritable(path, cause)
  }
}

function unwritable(path: string, cause: unknown): IngotError {
  return new IngotError('OUTPUT_UNWRITABLE', `cannot write "${path}": ${reasonOf(cause)}`, { cause })
}
