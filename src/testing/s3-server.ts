/** An S3-compatible server that verifies signatures: moto_server of PyPI, with its access control on. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { AwsClient } from 'aws4fetch'
import { untilTrue } from '../std/until.ts'
import type { Absent } from './present.ts'

export interface S3Server extends AsyncDisposable {
  /** With the bucket. */
  readonly url: string
  /** A bucket that does not exist. */
  readonly noBucket: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

const PROGRAM = 'moto_server'
/** Requests before moto checks signatures and rights: those that create the bucket, the user and its key. */
const UNCHECKED = 4
const ALLOW = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: '*' }] }

export async function startS3Server(): Promise<S3Server | Absent> {
  const port = await freePort()
  const env = { ...process.env, INITIAL_NO_AUTH_ACTION_COUNT: String(UNCHECKED) }
  const child = spawn(PROGRAM, ['-H', '127.0.0.1', '-p', String(port)], { env, stdio: 'ignore' })
  const failed = once(child, 'error').then(() => 'absent' as const)
  const root = `http://127.0.0.1:${port}`
  const started = untilTrue('moto_server responds', () => responds(root), { withinMs: 60_000, everyMs: 100 }).then(
    () => 'started' as const,
  )
  if ((await Promise.race([failed, started])) === 'absent')
    return { absent: `no ${PROGRAM} (pip install 'moto[server]')` }
  const admin = new AwsClient({ accessKeyId: 'admin', secretAccessKey: 'admin', retries: 0 })
  const iam = async (form: Readonly<Record<string, string>>): Promise<string> => {
    const body = new URLSearchParams({ Version: '2010-05-08', ...form }).toString()
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const aws = { service: 'iam', region: 'us-east-1' }
    const response = await admin.fetch(`${root}/`, { method: 'POST', body, headers, aws })
    return response.text()
  }
  await admin.fetch(`${root}/reports`, { method: 'PUT', aws: { service: 's3', region: 'us-east-1' } })
  await iam({ Action: 'CreateUser', UserName: 'drills' })
  const policy = { PolicyName: 'all', PolicyDocument: JSON.stringify(ALLOW) }
  await iam({ Action: 'PutUserPolicy', UserName: 'drills', ...policy })
  const created = await iam({ Action: 'CreateAccessKey', UserName: 'drills' })
  return {
    url: `${root}/reports/shop`,
    noBucket: `${root}/nowhere`,
    accessKeyId: elementOf(created, 'AccessKeyId'),
    secretAccessKey: elementOf(created, 'SecretAccessKey'),
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** Does not count as a request that moto checks. */
async function responds(root: string): Promise<boolean> {
  try {
    return (await fetch(`${root}/moto-api/data.json`)).ok
  } catch {
    return false
  }
}

function elementOf(xml: string, name: string): string {
  const [, text] = new RegExp(`<${name}>([^<]+)</${name}>`).exec(xml) ?? []
  if (text === undefined) throw new Error(`no ${name} in ${xml}`)
  return text.replaceAll('&amp;', '&')
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (typeof address !== 'object' || address === null) throw new Error('no port')
  return address.port
}
