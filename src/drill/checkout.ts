/** Paths of the checkout from which tests and drills start, build and read. */
import { join } from 'node:path'

export const ROOT = join(import.meta.dirname, '..', '..')

/** Folder for the output of runs. Git ignores it. */
export const OUT = join(ROOT, 'out')
