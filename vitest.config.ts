import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

/**
 * unit      pure and in-process, faked time; parallel
 * contract  one suite per port, against real stores and servers
 * chart     what helm makes of values, and which it refuses; needs helm
 * process   the service as a real process: kills, signals, system calls
 */
const SLOW = ['src/**/*.contract.test.ts', 'src/**/*.process.test.ts']

/**
 * Test files at a time. Most tests start servers and wait for them: one file at a time leaves half of two cores idle, and
 * more than two would miss deadlines there.
 */
const maxWorkers = 2

// the processes that tests start inherit it and start in two thirds of the time; their behavior is the same
const env = { NODE_COMPILE_CACHE: join(import.meta.dirname, 'out', 'compile-cache') }

export default defineConfig({
  test: {
    reporters: ['default', ['json', { outputFile: 'out/test/report.json' }]],
    projects: [
      { test: { name: 'unit', include: ['src/**/*.test.ts'], exclude: SLOW, testTimeout: 30_000, env, maxWorkers } },
      {
        test: {
          name: 'chart',
          include: ['charts/*/tests/*.test.ts'],
          globalSetup: 'charts/ingot/tests/need-helm.ts',
          setupFiles: 'charts/ingot/tests/skip-without-helm.ts',
          testTimeout: 30_000,
          env,
          maxWorkers,
        },
      },
      {
        test: {
          name: 'contract',
          include: ['src/**/*.contract.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          env,
          maxWorkers,
        },
      },
      {
        test: {
          name: 'process',
          include: ['src/**/*.process.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 120_000,
          env,
          maxWorkers,
        },
      },
    ],
  },
})
