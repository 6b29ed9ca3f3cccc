/** A second server in the container of a test. The test copies its files like an operator. */
import type { PostgresServer } from './server.ts'

const PORT = 5_433

/** Prepares a server with its files in `folder`. Removes all paths with that prefix first. Starts nothing. */
export async function spareServer(postgres: PostgresServer, folder: string) {
  const run = (...command: readonly string[]): Promise<string> => postgres.exec(...command)
  await run('sh', '-c', `rm -rf ${folder}*`)
  await run('initdb', '-D', folder, '-U', 'postgres', '--auth=trust')
  await run('sh', '-c', `echo 'host all all all trust' >> ${folder}/pg_hba.conf`)
  return {
    url: postgres.spareUrl,
    run,
    /** Starts the server of a folder. Only port 5433, the default, can be reached from outside the container. */
    start: (of = folder, port = PORT, settings: readonly string[] = []) => {
      const options = [`-p ${port}`, '-c listen_addresses=*', ...settings.map((setting) => `-c ${setting}`)]
      return run('pg_ctl', '-D', of, '-o', options.join(' '), '-w', '-l', '/tmp/log', 'start')
    },
    stop: (of = folder) => run('pg_ctl', '-D', of, '-m', 'fast', '-w', 'stop'),
    /** Ends it without a checkpoint, as a crash does. */
    crash: (of = folder) => run('pg_ctl', '-D', of, '-m', 'immediate', '-w', 'stop'),
    promote: (of = folder) => run('pg_ctl', '-D', of, '-w', 'promote'),
    /** Copies the current files of a replica. */
    replica: (to: string) => run('pg_basebackup', '-p', String(PORT), '-U', 'postgres', '-D', to, '-R', '-c', 'fast'),
  }
}
