/** Tests values that YAML could misread: strings that look like numbers or words, large numbers, nulls. */
import { describe, expect, test } from 'vitest'
import { containers, find, type Manifest, podOf, pods, refusal, render } from './helm.ts'

/** Returns the fields of all pods that must be strings. */
function textsOf(manifests: readonly Manifest[]): unknown[] {
  return pods(manifests).flatMap((pod) => {
    const { serviceAccountName, priorityClassName } = pod.spec as unknown as Record<string, unknown>
    const volumes = (pod.spec as unknown as { volumes?: readonly { secret?: { secretName: unknown } }[] }).volumes ?? []
    const env = containers(pod).flatMap(({ env: own = [] }) => own)
    return [
      serviceAccountName,
      priorityClassName,
      ...volumes.map(({ secret }) => secret?.secretName),
      ...env.flatMap(({ value, valueFrom }) => [value, valueFrom?.secretKeyRef?.name, valueFrom?.secretKeyRef?.key]),
    ].filter((text) => text !== undefined)
  })
}

describe('a string that looks like a number or a YAML keyword stays a string', () => {
  test.each([
    ['postgres', ['redis.sentinel.masterName="123"', 'redis.commands={"server":"true","cli":"null"}']],
    ['postgres', ['postgres.existingSecret="1"', 'redis.auth.existingSecret="2"', 'access.existingSecret="3"']],
    ['standalone', ['redis.tls.existingSecret="4"', 'serviceAccount.name="5"', 'redis.priorityClassName="6"']],
    ['external', ['store.external={"existingSecret":"7","key":"true","directKey":"8"}']],
    ['external', ['lock={"url":"","existingSecret":"9","key":"1e3","directKey":"2"}']],
    ['postgres', ['export={"enabled":true,"collections":["123"],"keep":1,"token":{"existingSecret":"1","key":"2"}}']],
    ['postgres', ['clusterDomain="123"', 'cache.enabled=true']],
  ])('%s with %j', (mode, changes) => {
    const texts = textsOf(render(mode, changes))
    expect(texts.length).toBeGreaterThan(10)
    expect(texts.filter((text) => typeof text !== 'string')).toEqual([])
  })

  test('also in names of objects and classes', () => {
    const manifests = render('postgres', ['serviceAccount.name="123"', 'redis.persistence.className="42"'])
    for (const { metadata } of manifests) expect(typeof metadata.name).toBe('string')
    const { volumeClaimTemplates } = find(manifests, 'StatefulSet', 'ingot-redis').spec as {
      volumeClaimTemplates: unknown[]
    }
    expect(volumeClaimTemplates).toMatchObject([{ spec: { storageClassName: '42' } }])
  })
})

describe('a large number has no exponent', () => {
  test('in redis.conf', () => {
    const { data } = find(render('postgres', ['redis.maxmemory=1073741824']), 'ConfigMap', 'ingot-redis')
    expect(data['redis.conf']).toContain('\nmaxmemory 1073741824\n')
  })

  test('in the environment of Redis', () => {
    const [container] = podOf(
      render('postgres', ['redis.auth.previousValidSeconds=31536000']),
      'StatefulSet/ingot-redis',
    ).spec.containers
    expect(container?.env).toContainEqual({ name: 'PREVIOUS_VALID_S', value: '31536000' })
  })

  test('in a CronJob', () => {
    const changes = ['export.enabled=true', 'export.collections=["a"]', 'export.activeDeadlineSeconds=2000000']
    expect(find(render('postgres', changes), 'CronJob', 'ingot-export').spec).toMatchObject({
      jobTemplate: { spec: { activeDeadlineSeconds: 2_000_000 } },
    })
  })
})

test('ACL rules of Redis on several lines become one line', () => {
  const { data } = find(render('postgres', ['redis.auth.rules="~* +get\\n+set"']), 'ConfigMap', 'ingot-redis')
  expect(data['users.redis']).toContain('ingot ingot ~* +get +set\n')
})

test.each([
  ['global=null', "at '': missing property 'global'"],
  ['commonLabels=null', "at '': missing property 'commonLabels'"],
  ['service.config=null', "at '/service': missing property 'config'"],
  ['service.podSecurityContext=null', "at '/service': missing property 'podSecurityContext'"],
  ['redis.sentinel.persistence=null', "at '/redis/sentinel': missing property 'persistence'"],
])('a null for an object is refused: %s', (change, answer) => {
  expect(refusal('postgres', [change])).toContain(answer)
})

test('lists may be null', () => {
  const changes = ['service.extraEnv=null', 'image.pullSecrets=null', 'service.tolerations=null', 'redis.sidecars=null']
  expect(() => render('postgres', changes)).not.toThrow()
})
