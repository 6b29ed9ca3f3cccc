import { describe, expect, test } from 'vitest'
import { authorizedRequests, type Right, unusedRights } from './operator-rights.ts'

describe('what RBAC checks', () => {
  test.each([
    ['GET', '/api/v1/pods?limit=500', { verb: 'list', group: '', resource: 'pods' }],
    ['GET', '/api/v1/namespaces/a/pods?watch=1', { verb: 'watch', resource: 'pods', namespace: 'a' }],
    ['GET', '/api/v1/namespaces/a/secrets/s', { verb: 'get', resource: 'secrets', namespace: 'a', name: 's' }],
    [
      'PATCH',
      '/apis/ingot.dev/v1alpha1/namespaces/a/redistopologies/r/status?fieldManager=x',
      { verb: 'patch', group: 'ingot.dev', resource: 'redistopologies/status', namespace: 'a', name: 'r' },
    ],
    ['PUT', '/apis/coordination.k8s.io/v1/namespaces/a/leases/l', { verb: 'update', resource: 'leases', name: 'l' }],
    ['POST', '/apis/events.k8s.io/v1/namespaces/a/events', { verb: 'create', resource: 'events', name: undefined }],
  ])('%s %s', (method, path, expected) => {
    expect(authorizedRequests(method, path)).toMatchObject([expected])
  })

  test('is nothing for a document', () => {
    expect(authorizedRequests('GET', '/openapi/v3/apis/ingot.dev/v1alpha1')).toEqual([])
  })

  test('is two verbs for an apply that creates', () => {
    const verbs = (status: number) =>
      authorizedRequests('PATCH', '/api/v1/namespaces/a/services/s', status).map(({ verb }) => verb)
    expect(verbs(201)).toEqual(['patch', 'create'])
    expect(verbs(200)).toEqual(['patch'])
  })
})

test('a right is used by a request on its resource, its name and its namespace', () => {
  const right = (more: Partial<Right>): Right => {
    return { namespace: 'a', group: '', resource: 'secrets', name: 's', verb: 'get', ...more }
  }
  const requests = [{ namespace: 'a', group: '', resource: 'secrets', name: 's', verb: 'get' }]
  const used = [right({}), right({ name: undefined }), right({ namespace: undefined })]
  const unused = [right({ name: 't' }), right({ namespace: 'b' }), right({ verb: 'list' }), right({ group: 'apps' })]
  expect(unusedRights([...used, ...unused], requests)).toEqual(unused)
})
