import type { PeerCertificate } from 'node:tls'
import { expect, test } from 'vitest'
import { createPeerCertificates } from './peer-certificates.ts'

/** A certificate with the fields that matter here. */
function certificateUntil(end: string, name = 'redis.example'): PeerCertificate {
  const fields = { valid_to: end, subject: { CN: name }, subjectaltname: `DNS:${name}` }
  return fields as unknown as PeerCertificate
}

test('the certificate of the latest connection counts, for each peer', () => {
  const { watch, expiries } = createPeerCertificates()
  const redis = watch('redis').checkServerIdentity
  expect(redis('redis.example', certificateUntil('Jan  2 03:04:05 2027 GMT'))).toBeUndefined()
  watch('store').checkServerIdentity('redis.example', certificateUntil('Jan  1 00:00:00 2028 GMT'))
  watch('redis').checkServerIdentity('redis.example', certificateUntil('Jan  2 03:04:05 2029 GMT'))
  expect([...expiries()]).toEqual([
    ['redis', Date.UTC(2029, 0, 2, 3, 4, 5)],
    ['store', Date.UTC(2028, 0, 1)],
  ])
})

test('a certificate for another name is refused as before', () => {
  const { watch } = createPeerCertificates()
  const certificate = certificateUntil('Jan  2 03:04:05 2027 GMT')
  expect(watch('redis').checkServerIdentity('other.example', certificate)).toMatchObject({
    code: 'ERR_TLS_CERT_ALTNAME_INVALID',
  })
})
