/** The fence store of a lock history, for locks whose service does not number its grants. */
import { join } from 'node:path'
import { startPostgres } from '../../../postgres/server.ts'
import { needed } from '../../../present.ts'
import type { OpenContext } from './service.ts'

/** Where fences are stored. `none` is a negative control: Redis then loses them. */
export type FencesChoice = 'sqlite' | 'postgres' | 'none'

/** Resolves with the URL of the store; empty for none. */
export async function fencesUrlOf(fences: FencesChoice, { scope, folder }: OpenContext): Promise<string> {
  if (fences === 'none') return ''
  if (fences === 'sqlite') return `sqlite:${join(folder, 'fences.sqlite')}`
  const postgres = await needed(scope, 'Postgres', startPostgres())
  return postgres.database()
}
