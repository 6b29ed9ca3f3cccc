/**
 * Fuzzes a real service on 127.0.0.1 from its OpenAPI document. schemathesis sends valid and invalid requests and checks
 * every response against the document. The seed is fixed, and the duration is limited.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const VERSION = '4.32.5'
const SECONDS = 60
const TOKEN = randomBytes(16).toString('hex')
const TOOL = resolve('out/fuzz')

function run(command, args) {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] })
}

/** Installs the pinned version once, into a folder that git ignores. Returns the path of the program. */
function install() {
  const program = join(TOOL, VERSION, 'bin/schemathesis')
  if (existsSync(program)) return program
  mkdirSync(TOOL, { recursive: true })
  run('python3', ['-m', 'venv', join(TOOL, VERSION)])
  run(join(TOOL, VERSION, 'bin/pip'), ['install', '--quiet', `schemathesis==${VERSION}`])
  return program
}

/** Starts the service. Resolves with the process and its URL when it listens. */
function serve(data) {
  const tokens = join(data, 'tokens.json')
  const sha256 = createHash('sha256').update(TOKEN).digest('hex')
  const collections = { '*': ['read', 'write', 'delete', 'observe'] }
  writeFileSync(tokens, JSON.stringify({ tokens: [{ name: 'fuzzer', sha256, collections }] }))
  const env = {
    PATH: process.env.PATH,
    INGOT_LISTEN: '127.0.0.1:0',
    INGOT_DATA: join(data, 'items'),
    INGOT_TOKENS_FILE: tokens,
    INGOT_LOG_LEVEL: 'warn',
  }
  const service = spawn(process.execPath, ['src/cli.ts', 'serve'], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  return new Promise((done, fail) => {
    let text = ''
    service.stdout.setEncoding('utf8').on('data', (part) => {
      text += part
      const [, url] = /^ingot serves (http:\S+),/m.exec(text) ?? []
      if (url !== undefined) done({ service, url })
    })
    service.on('exit', (code) => fail(new Error(`the service ended with exit code ${code}`)))
  })
}

/**
 * Checks that do not suit this service. fuzz_hooks.py replaces each of them:
 * - positive_data_acceptance checks only the status. A request that the schemas allow may be refused for reasons that a
 *   schema cannot express. `refuses_only_what_schemas_cannot_forbid` has the codes of these reasons, and fails for others.
 * - ensure_resource_availability does not know replays. A response that is replayed for an Idempotency-Key may name an item
 *   that has been deleted since. `keeps_what_it_created` skips replays.
 * - use_after_free expects 404 for a deleted collection, which stays with its policy. `deletes_items_for_good` checks items.
 */
const EXCLUDED = 'positive_data_acceptance,ensure_resource_availability,use_after_free'

const program = install()
const data = mkdtempSync(join(tmpdir(), 'ingot-fuzz-'))
const { service, url } = await serve(data)
const args = ['run', `${url}/openapi.json`, '--header', `Authorization: Bearer ${TOKEN}`, '--seed', '7']
const limits = ['--max-examples', '50', '--max-time', String(SECONDS), '--warnings', 'off']
const { status } = spawnSync(program, [...args, ...limits, '--exclude-checks', EXCLUDED, ...process.argv.slice(2)], {
  stdio: 'inherit',
  cwd: TOOL,
  env: { ...process.env, SCHEMATHESIS_HOOKS: 'fuzz_hooks', PYTHONPATH: resolve('tools'), PYTHONDONTWRITEBYTECODE: '1' },
})
const alive = service.exitCode === null
service.kill('SIGKILL')
rmSync(data, { recursive: true, force: true })
if (!alive) console.error('the service ended during the run')
process.exitCode = alive && status === 0 ? 0 : 1
