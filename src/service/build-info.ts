/** The metric that names the parts of this process. */
import type { Config } from '../config/schema.ts'
import { schemeOf } from '../std/url-form.ts'
import { version } from '../std/version.ts'
import type { Metrics } from '../telemetry/metrics.ts'

/** Registers `ingot_build_info`. `store` and `lock` are URL schemes; `lock` is `none` without a lock service. */
export function measureBuild(metrics: Metrics, { storeUrl, lockUrl }: Pick<Config, 'storeUrl' | 'lockUrl'>): void {
  const lock = lockUrl === undefined ? 'none' : schemeOf(lockUrl)
  metrics.gaugesOf({ name: 'ingot_build_info', help: 'Always 1.', labels: ['version', 'store', 'lock'] }, () => [
    { labels: { version: version(), store: schemeOf(storeUrl), lock }, value: 1 },
  ])
}
