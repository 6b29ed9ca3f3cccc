/** Connections that failed for TLS: unlike an address where nobody answers, they do not get better by trying again. */

/** Sources: node's documentation of `tls` (X509 certificate error codes) and of its own ERR_TLS and ERR_SSL codes. */
const CODES =
  /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|EPROTO$|HOSTNAME_MISMATCH|INVALID_CA)/

/** Whether a certificate was refused, or the other side speaks no TLS. */
export function isTlsFailure(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && CODES.test(String(thrown.code))
}
