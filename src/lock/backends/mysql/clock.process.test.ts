/** Jumps of a MariaDB server's wall clock, which ends leases. */
import { testDatabaseClock } from '../../../testing/locks/moved-database-clock.ts'
import { startMariadb } from '../../../testing/mysql/server.ts'

testDatabaseClock({
  on: 'mysql, on MariaDB',
  start: startMariadb,
  async wallMs(server) {
    const [row] = await server.sql('SELECT UNIX_TIMESTAMP(SYSDATE(6)) * 1000 AS ms')
    return Number(row?.['ms'])
  },
})
