import { defineConfig } from 'vitest/config'

/** What needs the kind cluster: pods die, one file and one test at a time. */
export default defineConfig({
  test: {
    include: ['charts/ingot/tests/kind/*.kind.test.ts'],
    fileParallelism: false,
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
})
