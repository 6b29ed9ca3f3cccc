/** Registers the lock in a MySQL or MariaDB database. */
import type { BackendRegistration, OpenBackend } from '../../backend.ts'

async function load(): Promise<OpenBackend> {
  const { connectMysqlLock } = await import('./backend.ts')
  return (url, context, signal) => connectMysqlLock(url, context, signal)
}

export const mysqlBackend: BackendRegistration = {
  schemes: ['mysql', 'mariadb', 'mysqls', 'mariadbs'],
  examples: ['mysql://…', 'mysqls://…', 'mariadb://…', 'mariadbs://…'],
  load,
}
