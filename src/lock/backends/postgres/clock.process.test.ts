/** Jumps of a Postgres server's wall clock, which ends leases. */
import { testDatabaseClock } from '../../../testing/locks/moved-database-clock.ts'
import { runSql, startPostgres } from '../../../testing/postgres/server.ts'

testDatabaseClock({
  on: 'postgres',
  start: startPostgres,
  async wallMs({ url }) {
    const [row] = await runSql(url, 'SELECT extract(epoch FROM clock_timestamp()) * 1000 AS ms')
    return Number(row?.['ms'])
  },
})
