/** The end of a certificate, from a handshake with a real server to the metric. */
import { X509Certificate } from 'node:crypto'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { expect, onTestFinished, test } from 'vitest'
import { createWire } from '../items/stores/external-http/wire.ts'
import { createSingleClient, DEFAULT_SETTINGS } from '../redis/client.ts'
import { systemClock } from '../std/clock.ts'
import { peerCertificates } from '../std/peer-certificates.ts'
import { createMetrics } from '../telemetry/metrics.ts'
import { createCertificates } from '../testing/redis/certificates.ts'
import { measureCertificates } from './certificates.ts'

/** Listens on a free port of this machine until the test ends. */
async function portOf(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return (server.address() as AddressInfo).port
}

/** Returns the seconds that the metric has for a peer. */
async function exported(peer: string): Promise<number> {
  const metrics = createMetrics()
  measureCertificates(metrics, peerCertificates)
  const { body } = await metrics.render()
  return Number(
    new RegExp(`^ingot_certificate_expiry_timestamp_seconds\\{peer="${peer}"\\} (\\d+)$`, 'm').exec(body)?.[1],
  )
}

test('the certificates of the https store and of Redis are in the metric', async () => {
  using files = createCertificates()
  const identity = { cert: files.read('server.pem'), key: files.read('server.key') }
  const endSeconds = Date.parse(new X509Certificate(identity.cert).validTo) / 1_000
  expect(await exported('store')).toBeNaN()

  const port = await portOf(createHttpsServer(identity, (_request, response) => void response.end('{}')))
  const wire = createWire({ tls: { ca: files.read('ca.pem') }, timeoutMs: 5_000, clock: systemClock })
  const headers = { connection: 'close' }
  await wire.exchange({ method: 'GET', url: new URL(`https://localhost:${port}/`), headers })
  wire.close()
  expect(await exported('store')).toBe(endSeconds)

  // the handshake is enough: this server does not know the protocol of Redis
  const redisPort = await portOf(createTlsServer(identity, (socket) => void socket.end()))
  for (const tlsPeer of ['redis', 'cache'] as const) {
    const target = {
      endpoint: { host: 'localhost', port: redisPort },
      database: 0,
      credentials: {},
      tls: { ca: files.path('ca.pem') },
    }
    const client = await createSingleClient(target, { ...DEFAULT_SETTINGS, tlsPeer }, { started: false })
    client.on('error', () => {})
    await client.connect().catch(() => {})
    client.disconnect()
    expect(await exported(tlsPeer)).toBe(endSeconds)
  }
})
