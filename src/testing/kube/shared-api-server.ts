/** One real API server for all tests of a file or of a `describe` block. */
import { afterAll, beforeAll } from 'vitest'
import { type Absent, present } from '../present.ts'
import { type BareApiServer, startBareApiServer } from './bare-api-server.ts'

/**
 * Starts the server before the tests and ends it after them. Returns a function that returns the server. It skips the test
 * where there can be none, and fails it where `CI` is set.
 */
export function shareApiServer(options?: {
  readonly controllers: boolean
}): (skip: (reason: string) => never) => BareApiServer {
  let server: BareApiServer | Absent = { absent: 'the API server was not started' }
  beforeAll(async () => {
    server = await startBareApiServer(options)
  })
  afterAll(async () => {
    if (!('absent' in server)) await server[Symbol.asyncDispose]()
  })
  return (skip) => present(server, skip)
}
