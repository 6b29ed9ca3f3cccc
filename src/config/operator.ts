/** Settings of the operator from the environment. */
import { hostname } from 'node:os'
import { IngotError } from '../errors/error.ts'
import type { Environment } from './load.ts'
import type { Config } from './schema.ts'
import { textOf } from './text.ts'

export interface OperatorConfig {
  /** INGOT_LISTEN: address of metrics and health. Port 0: any free port. Default: 127.0.0.1:9400. */
  readonly listen: { readonly host: string; readonly port: number }
  /**
   * INGOT_GATES_LISTEN: address of the gates. Default: they are not served. INGOT_GATES_TOKEN_FILE: file with the tokens
   * that clients of the gates send, one per line. Default: no token is needed.
   */
  readonly gates: { readonly listen: OperatorConfig['listen']; readonly tokenFile: string | undefined } | undefined
  /** KUBECONFIG. Default: that of kubectl, or the pod's ServiceAccount. */
  readonly kubeconfig: string | undefined
  /** POD_NAMESPACE: namespace of the Lease. Default: that of the context. */
  readonly podNamespace: string | undefined
  /** POD_NAME, else the name of the host. */
  readonly podName: string
  /** INGOT_LOG_LEVEL. Default: info. */
  readonly logLevel: LogLevel
}

const DEFAULT_LISTEN = '127.0.0.1:9400'
const LISTEN = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s]+)):(\d{1,5})$/
type LogLevel = Config['logLevel']

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent']

/** Returns the settings. Throws IngotError CONFIG_INVALID, which lists every problem, one per line. */
export function operatorConfig(environment: Environment = process.env): OperatorConfig {
  const listen = listenOf('INGOT_LISTEN', environment['INGOT_LISTEN'] ?? DEFAULT_LISTEN)
  const gates = gatesOf(environment)
  const logLevel = levelOf(environment['INGOT_LOG_LEVEL'] ?? 'info')
  const problems = [listen, gates, logLevel].filter((one) => one instanceof Problem)
  if (listen instanceof Problem || gates instanceof Problem || logLevel instanceof Problem) {
    const lines = problems.map(({ message }) => message)
    throw new IngotError('CONFIG_INVALID', `the configuration is wrong:\n  ${lines.join('\n  ')}`)
  }
  return {
    listen,
    gates,
    kubeconfig: textOf(environment['KUBECONFIG']),
    podNamespace: textOf(environment['POD_NAMESPACE']),
    podName: textOf(environment['POD_NAME']) ?? hostname(),
    logLevel,
  }
}

class Problem extends Error {}

function gatesOf(environment: Environment): OperatorConfig['gates'] | Problem {
  const address = textOf(environment['INGOT_GATES_LISTEN'])
  const tokenFile = textOf(environment['INGOT_GATES_TOKEN_FILE'])
  if (address === undefined) {
    if (tokenFile === undefined) return undefined
    return new Problem('INGOT_GATES_TOKEN_FILE has no effect without INGOT_GATES_LISTEN, such as 0.0.0.0:9401')
  }
  const listen = listenOf('INGOT_GATES_LISTEN', address)
  return listen instanceof Problem ? listen : { listen, tokenFile }
}

function listenOf(name: string, text: string): OperatorConfig['listen'] | Problem {
  const [, bracketed, plain = '', port = ''] = LISTEN.exec(text) ?? []
  if (port !== '' && Number(port) <= 65_535) return { host: bracketed ?? plain, port: Number(port) }
  return new Problem(`${name}: "${text}" is not host:port, such as 0.0.0.0:9400 or [::]:9400`)
}

function levelOf(text: string): LogLevel | Problem {
  const level = LEVELS.find((one) => one === text)
  return level ?? new Problem(`INGOT_LOG_LEVEL: "${text}" is not ${LEVELS.join(', ')}`)
}
