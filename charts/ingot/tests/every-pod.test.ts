/** Tests every pod in every mode against the pod security standard `restricted` and further rules. */
import { describe, expect, test } from 'vitest'
import { containers, lint, type Manifest, MODES, pods, render } from './helm.ts'

const SELECTING = ['app.kubernetes.io/name', 'app.kubernetes.io/instance', 'app.kubernetes.io/component']

describe.each(MODES)('with the values %s', (mode) => {
  test('helm lint finds no problem', () => {
    expect(lint(mode)).toBe('fine')
  })

  test('names are unique, and labels name the release and the component', () => {
    const manifests = render(mode)
    const names = manifests.map(({ kind, metadata }) => `${kind}/${metadata.name}`)
    expect(names).toEqual([...new Set(names)])
    for (const { metadata } of manifests) {
      expect(metadata.name).toMatch(/^ingot/)
      expect(metadata.labels).toMatchObject({
        'app.kubernetes.io/name': 'ingot',
        'app.kubernetes.io/instance': 'ingot',
        'app.kubernetes.io/component': expect.any(String) as string,
        'app.kubernetes.io/managed-by': 'Helm',
      })
    }
  })

  test('pods are restricted, and have no token of the API server', () => {
    const all = pods(render(mode))
    expect(all.length).toBeGreaterThanOrEqual(2)
    for (const pod of all) {
      expect(pod.spec, pod.owner).toMatchObject({
        automountServiceAccountToken: false,
        enableServiceLinks: false,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      })
      for (const container of containers(pod)) {
        const { privileged = false, ...security } = container.securityContext
        expect(privileged).toBe(false)
        expect(security, `${pod.owner} ${container.name}`).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        })
      }
    }
  })

  test('every container has requests and a memory limit', () => {
    for (const pod of pods(render(mode))) {
      for (const { name, resources } of containers(pod)) {
        expect(resources, `${pod.owner} ${name}`).toMatchObject({
          requests: { cpu: expect.anything() as string, memory: expect.anything() as string },
          limits: { memory: expect.anything() as string },
        })
      }
    }
  })

  test('no environment variable is set twice, and no password is in plain text', () => {
    for (const pod of pods(render(mode))) {
      for (const { env = [] } of containers(pod)) {
        const names = env.map(({ name }) => name)
        expect(names).toEqual([...new Set(names)])
        for (const { name, value } of env) if (/PASSWORD|TOKEN/.test(name)) expect(value, name).toBeUndefined()
      }
    }
  })

  test('images of third parties have an explicit command', () => {
    for (const pod of pods(render(mode))) {
      for (const { image, imagePullPolicy, command } of containers(pod)) {
        expect(imagePullPolicy).toBe('IfNotPresent')
        if (!/(^|\/)ingot[:@]/.test(image)) expect(command?.length, image).toBeGreaterThan(0)
      }
    }
  })

  test('each selector selects the pods of its component only', () => {
    for (const { kind, metadata, spec } of render(mode)) {
      if (kind !== 'Deployment' && kind !== 'StatefulSet') continue
      const { matchLabels } = spec['selector'] as { matchLabels: Record<string, string> }
      expect(Object.keys(matchLabels), metadata.name).toEqual(SELECTING)
      expect(podsWith(render(mode), matchLabels)).toEqual([`${kind}/${metadata.name}`])
    }
  })
})

function podsWith(manifests: readonly Manifest[], labels: Readonly<Record<string, string>>): string[] {
  const wanted = Object.entries(labels)
  return pods(manifests)
    .filter(({ meta }) => wanted.every(([key, value]) => meta.labels?.[key] === value))
    .map(({ owner }) => owner)
}
