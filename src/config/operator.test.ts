import { hostname } from 'node:os'
import { expect, test } from 'vitest'
import { operatorConfig } from './operator.ts'

test('without settings it listens on loopback and takes the name of the host', () => {
  expect(operatorConfig({})).toEqual({
    listen: { host: '127.0.0.1', port: 9_400 },
    kubeconfig: undefined,
    podNamespace: undefined,
    podName: hostname(),
    logLevel: 'info',
  })
})

test('reads the settings of a pod', () => {
  const environment = { INGOT_LISTEN: '[::]:0', POD_NAME: 'o-1', POD_NAMESPACE: 'ingot-system', KUBECONFIG: ' ' }
  expect(operatorConfig(environment)).toMatchObject({
    listen: { host: '::', port: 0 },
    podName: 'o-1',
    podNamespace: 'ingot-system',
    kubeconfig: undefined,
  })
})

test('reports every wrong setting at once', () => {
  const read = (): unknown => operatorConfig({ INGOT_LISTEN: 'localhost', INGOT_LOG_LEVEL: 'loud' })
  expect(read).toThrow('INGOT_LISTEN: "localhost" is not host:port')
  expect(read).toThrow('INGOT_LOG_LEVEL: "loud" is not debug, info')
  expect(() => operatorConfig({ INGOT_LISTEN: 'localhost:70000' })).toThrow('INGOT_LISTEN')
})
