/** The chart's tests need helm. Without it they are skipped with a word, but in CI that is a failure. */
import { hasHelm } from './helm.ts'

export function setup(): void {
  if (hasHelm()) return
  if (process.env['CI'] !== undefined) throw new Error('helm is missing: install it, or the chart goes unchecked')
  process.stdout.write('charts/ingot: helm is not installed, so lint, renderings and refusals were skipped\n')
}
