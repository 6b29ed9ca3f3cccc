/** The fence store of a child process, by the name that its parent puts into the environment. */
import type { FenceStore } from '../lock/fence-store.ts'

/** `undefined` for no name. */
export async function testFences(name: string | undefined): Promise<FenceStore | undefined> {
  if (name === undefined || name === '') return undefined
  throw new Error(`unknown fence store "${name}"`)
}
