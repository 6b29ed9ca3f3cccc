/** The tests of the chart need helm. Without helm they are skipped with a message; in CI they fail. */
import { hasHelm } from './helm.ts'

export function setup(): void {
  if (hasHelm()) return
  if (process.env['CI'] !== undefined) throw new Error('helm is missing: install it, or the chart goes unchecked')
  process.stdout.write('charts/ingot: helm is not installed, so lint, renderings and refusals were skipped\n')
}
