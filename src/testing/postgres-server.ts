/** A Postgres of its own for a test file, in a container. */
import { GenericContainer, Wait } from 'testcontainers'
import type { Absent } from './present.ts'
import { dockerAbsence } from './redis-container.ts'

export interface PostgresServer extends AsyncDisposable {
  readonly url: string
}

const PASSWORD = 'test-only'

/** Or why there can be none. */
export async function startPostgres(): Promise<PostgresServer | Absent> {
  const absent = await dockerAbsence()
  return absent === undefined ? start() : { absent }
}

async function start(): Promise<PostgresServer> {
  const container = await new GenericContainer('postgres:17')
    .withEnvironment({ POSTGRES_PASSWORD: PASSWORD })
    .withCommand(['postgres'])
    .withExposedPorts(5432)
    .withWaitStrategy(Wait.forListeningPorts())
    .withStartupTimeout(60_000)
    .start()
  return {
    url: `postgres://postgres:${PASSWORD}@${container.getHost()}:${container.getMappedPort(5432)}/postgres`,
    [Symbol.asyncDispose]: async () => void (await container.stop({ timeout: 0 })),
  }
}
