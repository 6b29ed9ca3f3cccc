/** Checks of the certificates of Redis. Pure. */
import { X509Certificate } from 'node:crypto'
import { type Facts, mainContainer, valueOr, variableOf } from '../facts.ts'
import { listAt, textAt, textsAt } from '../json.ts'
import { redisSet } from '../topology.ts'
import { type Check, type Seen, seenIf } from './check.ts'

const DAY_MS = 86_400_000
const SOON_DAYS = 30
const PEM = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g

interface Entry {
  readonly subject: string
  readonly key: string
  /** Undefined if it cannot be read. */
  readonly certificate: X509Certificate | undefined
}

function entries(facts: Facts): readonly Entry[] {
  return facts.secrets.flatMap(({ name, secret }) => {
    const data = textsAt(valueOr(secret, undefined), 'data')
    return Object.entries(data)
      .filter(([key]) => key.endsWith('.crt') || key.endsWith('.pem'))
      .flatMap(([key, value]) => {
        const blocks = Buffer.from(value, 'base64').toString().match(PEM) ?? ['']
        return blocks.map((block) => ({ subject: `secret/${name}`, key, certificate: parsed(block) }))
      })
  })
}

function parsed(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem)
  } catch {
    return undefined
  }
}

function expirySeen({ subject, key, certificate }: Entry, nowMs: number): readonly Seen[] {
  if (certificate === undefined) return []
  const days = Math.floor((Date.parse(certificate.validTo) - nowMs) / DAY_MS)
  const when =
    days < 0 ? `it has expired (${certificate.validTo})` : `it expires in ${days} days (${certificate.validTo})`
  return seenIf(days < SOON_DAYS, subject, `${key}: ${when}`)
}

function nameSeen(facts: Facts): readonly Seen[] {
  const set = redisSet(facts)
  if (set === undefined) return []
  const container = mainContainer(set)
  const domain = variableOf(container, 'REDIS_DOMAIN')
  if (variableOf(container, 'TLS') !== 'true' || domain === '') return []
  const host = `${set.metadata.name}-0.${domain}`
  return entries(facts)
    .filter(({ key, subject }) => key === 'tls.crt' && isOfRedis(facts, subject))
    .flatMap(({ subject, certificate }) =>
      seenIf(
        certificate !== undefined && certificate.checkHost(host) === undefined,
        subject,
        `tls.crt is not for ${host}`,
      ),
    )
}

/** The volume of the Redis pods has the certificate of Redis; other Secrets may be for an Ingress or a store. */
function isOfRedis(facts: Facts, subject: string): boolean {
  const volumes = listAt(redisSet(facts), 'spec', 'template', 'spec', 'volumes')
  return volumes.some((volume) => `secret/${textAt(volume, 'secret', 'secretName')}` === subject)
}

export const CERTIFICATE_CHECKS: readonly Check[] = [
  {
    code: 'CERTIFICATE_EXPIRES',
    severity: 'error',
    needs: ['secrets'],
    remedy: 'replace the certificate before it expires: afterwards neither clients nor replicas connect',
    find: (facts) => entries(facts).flatMap((entry) => expirySeen(entry, facts.nowMs)),
  },
  {
    code: 'CERTIFICATE_UNREADABLE',
    severity: 'error',
    needs: ['secrets'],
    remedy: 'store a certificate in PEM under this key',
    find: (facts) =>
      entries(facts).flatMap(({ subject, key, certificate }) =>
        seenIf(certificate === undefined, subject, `${key} is not a certificate in PEM`),
      ),
  },
  {
    code: 'CERTIFICATE_NAME_WRONG',
    severity: 'error',
    needs: ['secrets', 'statefulSets'],
    remedy: 'issue it for the names that charts/ingot/values.yaml lists under redis.tls.existingSecret',
    find: nameSeen,
  },
]
