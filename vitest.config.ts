import { defineConfig } from 'vitest/config'

/**
 * unit      pure and in-process, faked time; parallel
 * contract  one suite per port, against real stores and servers
 * chart     what helm makes of values, and which it refuses; needs helm
 * process   the service as a real process: kills, signals, system calls
 */
const SLOW = ['src/**/*.contract.test.ts', 'src/**/*.process.test.ts']

export default defineConfig({
  test: {
    reporters: ['default', ['json', { outputFile: 'out/test/report.json' }]],
    projects: [
      { test: { name: 'unit', include: ['src/**/*.test.ts'], exclude: SLOW, testTimeout: 30_000 } },
      {
        test: {
          name: 'chart',
          include: ['charts/*/tests/*.test.ts'],
          globalSetup: 'charts/ingot/tests/need-helm.ts',
          setupFiles: 'charts/ingot/tests/skip-without-helm.ts',
          testTimeout: 30_000,
        },
      },
      { test: { name: 'contract', include: ['src/**/*.contract.test.ts'], testTimeout: 60_000, hookTimeout: 120_000 } },
      {
        test: {
          name: 'process',
          include: ['src/**/*.process.test.ts'],
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})
