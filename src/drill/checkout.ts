/** Where the checkout is that tests and drills start, build and read. */
import { join } from 'node:path'

export const ROOT = join(import.meta.dirname, '..', '..')

/** What runs leave behind; git ignores it. */
export const OUT = join(ROOT, 'out')
