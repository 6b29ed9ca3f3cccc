import { expect, test } from 'vitest'
import { parseManifest } from '../../kube/yaml.ts'
import { drillOf } from './manifest.ts'

const good = `
kind: FailoverDrill
metadata: { name: one, namespace: shop }
spec: { target: { release: ingot }, scenario: D3 }
`
const read = (text: string) => drillOf(parseManifest(text, 'x.yaml'), 'x.yaml')

test('a manifest has a name, a namespace and a spec', () => {
  expect(read(good)).toEqual({
    name: 'one',
    namespace: 'shop',
    spec: { target: { release: 'ingot' }, scenario: 'D3' },
  })
})

const withFault = (fault: string): string => good.replace('scenario: D3', `faults: [{ name: a, ${fault} }]`)

test.each([
  ['other kinds', good.replace('FailoverDrill', 'Pod'), 'kind: "Pod" is not FailoverDrill'],
  ['a name with capitals', good.replace('one', 'One'), 'metadata.name: write a name of a-z'],
  ['an unknown scenario', good.replace('D3', 'D99'), 'spec.scenario: must be equal to one of the allowed values'],
  ['neither scenario nor faults', good.replace(', scenario: D3', ''), 'write exactly one of scenario and faults'],
  ['a missing target', withFault('action: Kill'), 'fault a: name its target'],
  [
    'a scale without a number',
    withFault('action: Scale, target: { component: service }'),
    'fault a: Scale needs replicas',
  ],
  ['a manifest without an object', withFault('action: Manifest'), 'fault a: Manifest needs manifest'],
  ['no manifest at all', '- 1', '"x.yaml" is no manifest'],
  ['no YAML', '{', '"x.yaml" is no YAML with one object'],
])('%s: the message names the problem', (_, text, says) => {
  expect(() => read(text)).toThrow(says)
})
