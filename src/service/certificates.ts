/** The metric of the certificates that the peers of the service show. */
import type { PeerCertificates } from '../std/peer-certificates.ts'
import type { Metrics } from '../telemetry/metrics.ts'

/** Registers `ingot_certificate_expiry_timestamp_seconds`. A peer without TLS has no series. */
export function measureCertificates(metrics: Metrics, { expiries }: Pick<PeerCertificates, 'expiries'>): void {
  metrics.gaugesOf(
    {
      name: 'ingot_certificate_expiry_timestamp_seconds',
      help: 'When the certificate expires that a peer showed at its latest connection, in seconds since the Unix epoch.',
      labels: ['peer'],
    },
    () => Array.from(expiries(), ([peer, endMs]) => ({ labels: { peer }, value: endMs / 1_000 })),
  )
}
