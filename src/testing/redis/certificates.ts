/** Certificates for tests: two independent authorities, and certificates of the first one. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Certificates extends Disposable {
  /** Returns the path of a file: ca.pem, other-ca.pem, server.pem, server.key, client.pem, client.key. */
  path(name: string): string
  read(name: string): string
}

/**
 * Creates the certificates with the openssl program. Throws if there is none. `names` are DNS names beside localhost.
 * Default: none.
 */
export function createCertificates(names: readonly string[] = []): Certificates {
  const folder = mkdtempSync(join(tmpdir(), 'ingot-certificates-'))
  const path = (name: string): string => join(folder, name)
  const openssl = (...args: readonly string[]): void => {
    execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
  }
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const authority = (name: string): void =>
    openssl(
      'req',
      '-x509',
      ...key,
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.pem`,
    )
  const signed = (name: string): void => {
    const dns = ['localhost', ...names].map((one) => `DNS:${one}`)
    writeFileSync(path(`${name}.ext`), `subjectAltName=${dns.join(',')},IP:127.0.0.1\n`)
    openssl('req', ...key, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`)
    const by = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial']
    openssl('x509', '-req', '-days', '2', '-in', `${name}.csr`, ...by, '-extfile', `${name}.ext`, '-out', `${name}.pem`)
  }
  authority('ca')
  authority('other-ca')
  signed('server')
  signed('client')
  return {
    path,
    read: (name) => readFileSync(path(name), 'utf8'),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}
