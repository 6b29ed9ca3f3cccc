import { defineConfig } from 'vitest/config'

/** `npm run test:soak`: replicas, stores and lock services under real faults, by a new seed each time. */
export default defineConfig({
  test: {
    include: ['src/**/*.soak.test.ts'],
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 120_000,
  },
})
