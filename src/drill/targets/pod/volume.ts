/** Files on the volume that the runner shares with the containers beside it. */
import { open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '../../../std/clock.ts'

export interface Volume {
  path(name: string): string
  write(name: string, text: string): Promise<void>
  /** Resolves with the text, or undefined if there is no such file. */
  read(name: string): Promise<string | undefined>
  /** Resolves with the last bytes of a file as lines; the first one may be cut off. */
  tail(name: string, bytes: number): Promise<readonly string[]>
  /** Resolves with the text of a file once it has some. Rejects after `withinMs`. */
  awaited(name: string, withinMs: number, signal: AbortSignal): Promise<string>
}

const EVERY_MS = 200

export function createVolume(folder: string): Volume {
  const path = (name: string): string => join(folder, name)
  const read = async (name: string): Promise<string | undefined> => {
    try {
      return await readFile(path(name), 'utf8')
    } catch (failure) {
      if (failure instanceof Error && 'code' in failure && failure.code === 'ENOENT') return undefined
      throw failure
    }
  }
  return {
    path,
    read,
    write: (name, text) => writeFile(path(name), text),
    async tail(name, bytes) {
      await using file = await open(path(name))
      const { size } = await file.stat()
      const from = Math.max(0, size - bytes)
      const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from)
      return buffer.subarray(0, bytesRead).toString().split('\n')
    },
    async awaited(name, withinMs, signal) {
      const endMs = systemClock.monotonicMs() + withinMs
      for (;;) {
        const text = await read(name)
        if (text !== undefined && text.trim() !== '') return text.trim()
        if (systemClock.monotonicMs() > endMs) throw new Error(`${name} did not appear within ${withinMs} ms`)
        await systemClock.sleep(EVERY_MS, signal)
      }
    },
  }
}
