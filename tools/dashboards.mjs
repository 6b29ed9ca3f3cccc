/**
 * Generates files/dashboards of both charts: dashboards of Grafana. With --check, only fails if they are not current. Run it
 * after a change of src/testing/monitoring/dashboards/.
 */
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { BOARDS } from '../src/testing/monitoring/dashboards/boards.ts'
import { dashboardOf } from '../src/testing/monitoring/dashboards/model.ts'

const ROOT = join(import.meta.dirname, '..')

const wanted = new Map(
  Object.entries(BOARDS).flatMap(([chart, boards]) =>
    boards.map((board) => [
      `charts/${chart}/files/dashboards/${board.name}.json`,
      `${JSON.stringify(dashboardOf(board), null, 2)}\n`,
    ]),
  ),
)
const files = globSync('charts/*/files/dashboards/*.json', { cwd: ROOT })
const present = new Map(files.map((file) => [file, readFileSync(join(ROOT, file), 'utf8')]))
const stale = [...new Set([...wanted.keys(), ...files])].filter((file) => wanted.get(file) !== present.get(file))

if (process.argv.includes('--check')) {
  for (const file of stale) {
    console.error(`${file} is not current: run "npm run chart:dashboards"`)
    process.exitCode = 1
  }
} else {
  for (const file of stale) {
    const text = wanted.get(file)
    mkdirSync(dirname(join(ROOT, file)), { recursive: true })
    if (text === undefined) rmSync(join(ROOT, file))
    else writeFileSync(join(ROOT, file), text)
  }
}
