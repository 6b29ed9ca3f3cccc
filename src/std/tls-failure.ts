/** Recognises TLS failures. Unlike an unreachable address, they do not pass by retrying. */

/** Sources: Node's documentation of `tls` (X509 certificate error codes) and of its ERR_TLS and ERR_SSL codes. */
const CODES =
  /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|EPROTO$|HOSTNAME_MISMATCH|INVALID_CA)/

/** Returns true if a certificate was refused, or the other side does not use TLS. */
export function isTlsFailure(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && CODES.test(String(thrown.code))
}
