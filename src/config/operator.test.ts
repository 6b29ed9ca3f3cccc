import { hostname } from 'node:os'
import { expect, test } from 'vitest'
import { operatorConfig } from './operator.ts'

test('without settings it listens on loopback and takes the name of the host', () => {
  expect(operatorConfig({})).toEqual({
    listen: { host: '127.0.0.1', port: 9_400 },
    gates: undefined,
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

test('serves gates at their own address', () => {
  const environment = { INGOT_GATES_LISTEN: '0.0.0.0:9401', INGOT_GATES_TOKEN_FILE: '/etc/ingot/gates/token' }
  expect(operatorConfig(environment).gates).toEqual({
    listen: { host: '0.0.0.0', port: 9_401 },
    tokenFile: '/etc/ingot/gates/token',
  })
  expect(() => operatorConfig({ INGOT_GATES_LISTEN: '9401' })).toThrow('INGOT_GATES_LISTEN: "9401" is not host:port')
  const alone = (): unknown => operatorConfig({ INGOT_GATES_TOKEN_FILE: '/token' })
  expect(alone).toThrow('INGOT_GATES_TOKEN_FILE has no effect without INGOT_GATES_LISTEN')
})

test('reports every wrong setting at once', () => {
  const read = (): unknown => operatorConfig({ INGOT_LISTEN: 'localhost', INGOT_LOG_LEVEL: 'loud' })
  expect(read).toThrow('INGOT_LISTEN: "localhost" is not host:port')
  expect(read).toThrow('INGOT_LOG_LEVEL: "loud" is not debug, info')
  expect(() => operatorConfig({ INGOT_LISTEN: 'localhost:70000' })).toThrow('INGOT_LISTEN')
})
