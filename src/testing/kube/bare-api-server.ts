/** A real API server without nodes, started by `../shared/kind/api`; the tests that need one are skipped elsewhere. */
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import type { Absent } from '../present.ts'

export interface BareApiServer extends AsyncDisposable {
  /** Path of a kubeconfig of an administrator. */
  readonly kubeconfig: string
}

const STARTER = resolve(import.meta.dirname, '../../../../shared/kind/api')
const execute = promisify(execFile)

/** Starts etcd and an API server, with `controllers` also the controller manager. */
export async function startBareApiServer({ controllers = false } = {}): Promise<BareApiServer | Absent> {
  if (!existsSync(STARTER)) return { absent: `no ${STARTER} to start an API server with` }
  const folder = join(mkdtempSync(join(tmpdir(), 'bare-api-')), 'server')
  await execute(STARTER, ['up', folder, ...(controllers ? ['--controllers'] : [])])
  return {
    kubeconfig: join(folder, 'kubeconfig'),
    async [Symbol.asyncDispose]() {
      await execute(STARTER, ['down', folder])
    },
  }
}
