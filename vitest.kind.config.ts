import { defineConfig } from 'vitest/config'

/** The chart on a real cluster: the current context, which has to be one of kind. Minutes, and an image to build. */
export default defineConfig({
  test: {
    include: ['charts/ingot/tests/kind/*.test.ts'],
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 900_000,
  },
})
