/** The commands `id` and `status`, against a running service. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { temporaryFolder } from '../testing/folder.ts'
import { endProcesses, type Running, runIngot, startIngot } from '../testing/process.ts'

endProcesses()
const folder = temporaryFolder()
let service: Running
let url = ''

beforeAll(async () => {
  service = startIngot(['serve'], { INGOT_LISTEN: '127.0.0.1:0', INGOT_DATA: join(folder, 'items') })
  await vi.waitFor(() => expect(service.stdout()).toContain('ingot serves'), { timeout: 30_000 })
  url = /http:\/\/[\d.:]+/.exec(service.stdout())?.[0] ?? ''
})
afterAll(() => service.kill('SIGKILL'))

function fileOf(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

describe('ingot id', () => {
  const POLICY = '{"kind":"fields","include":["/email"]}'

  test.each([
    ['things', '{"b": 1.0, "a": "\\u0061"}', 'application/json', []],
    ['things', 'any bytes', 'application/octet-stream', ['--bytes']],
    ['users', '{"email": "a@b.example", "seen": 1}', 'application/json', ['--policy', POLICY]],
  ])('prints the id that the service gives: %s %s', async (collection, text, media, options) => {
    const headers = { 'content-type': 'application/json' }
    if (collection === 'users') await fetch(`${url}/v1/collections/users`, { method: 'PUT', body: POLICY, headers })
    const saved = await fetch(`${url}/v1/collections/${collection}/items`, {
      method: 'POST',
      body: text,
      headers: { 'content-type': media },
    })
    const { id } = (await saved.json()) as { id: string }
    const printed = await runIngot(['id', fileOf('content', text), ...options])
    expect(printed).toEqual({ code: 0, stdout: `${id}\n`, stderr: '' })
  })

  test('prints the canonical text, without a line end', async () => {
    const { stdout } = await runIngot(['id', fileOf('content', '{"b": 1.0, "a": []}'), '--canonical'])
    expect(stdout).toBe('{"a":[],"b":1}')
  })

  test.each([
    ['not json', [], 'JSON_INVALID', 1],
    ['{}', ['--policy', 'x'], 'USAGE_INVALID', 2],
    ['{}', ['--policy', '{"kind":"odd"}'], 'POLICY_INVALID', 1],
    ['{}', ['--bytes', '--canonical'], 'USAGE_INVALID', 2],
  ])('refuses %s %j with %s', async (text, options, code, exit) => {
    const refused = await runIngot(['id', fileOf('content', text), ...options])
    expect(refused).toMatchObject({ code: exit, stdout: '' })
    expect(refused.stderr).toContain(code)
  })
})

describe('ingot status', () => {
  test('shows a healthy service: exit 0', async () => {
    const { code, stdout, stderr } = await runIngot(['status', url])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^state {4}serving\nversion .*\nstore {4}sqlite, available\nepoch {4}\S+\npending {2}0 of /)
    expect(JSON.parse((await runIngot(['status', url, '--json'])).stdout)).toMatchObject({ state: 'serving' })
  })

  test.each([
    ['nowhere', 'USAGE_INVALID', 2],
    ['http://127.0.0.1:1', 'REMOTE_UNREACHABLE', 1],
  ])('%s: %s', async (address, code, exit) => {
    const refused = await runIngot(['status', address])
    expect(refused).toMatchObject({ code: exit, stdout: '' })
    expect(refused.stderr).toContain(code)
  })
})
