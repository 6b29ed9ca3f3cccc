/** Tests access from outside the cluster. */
import { expect, test } from 'vitest'
import { find, kinds, render } from './helm.ts'

test('there is no Ingress and no HTTPRoute by default', () => {
  const manifests = render('postgres')
  expect([...kinds(manifests, 'Ingress'), ...kinds(manifests, 'HTTPRoute')]).toEqual([])
})

test('an Ingress serves every host with its paths', () => {
  const backend = { service: { name: 'ingot-all', port: { name: 'http' } } }
  expect(find(render('everything'), 'Ingress', 'ingot-all')).toMatchObject({
    metadata: { annotations: { 'nginx.ingress.kubernetes.io/proxy-body-size': '0' } },
    spec: {
      ingressClassName: 'nginx',
      rules: [
        { host: 'ingot.example', http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } },
        {
          host: '*.ingot.example',
          http: {
            paths: [
              { path: '/v1', pathType: 'Exact', backend },
              { path: '/', pathType: 'Prefix', backend },
            ],
          },
        },
      ],
      tls: [{ secretName: 'ingot-tls', hosts: ['ingot.example'] }],
    },
  })
})

test('an Ingress without a host serves all hosts, with the default class', () => {
  const { spec } = find(render('postgres', ['ingress={"enabled":true,"hosts":[{}]}']), 'Ingress', 'ingot')
  expect(spec).toEqual({
    rules: [
      {
        http: {
          paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'ingot', port: { name: 'http' } } } }],
        },
      },
    ],
  })
})

test('an HTTPRoute sends traffic to the port of the Service', () => {
  const manifests = render('everything', ['service.port=8080'])
  expect(find(manifests, 'HTTPRoute', 'ingot-all')).toMatchObject({
    apiVersion: 'gateway.networking.k8s.io/v1',
    metadata: { annotations: { 'example.org/route': 'public' } },
    spec: {
      parentRefs: [{ name: 'public', namespace: 'gateways' }],
      hostnames: ['ingot.example'],
      rules: [
        {
          matches: [{ path: { type: 'PathPrefix', value: '/' } }],
          filters: [{ type: 'RequestHeaderModifier' }],
          timeouts: { request: '0s' },
          backendRefs: [{ name: 'ingot-all', port: 8080 }],
        },
      ],
    },
  })
})
