import { fenceStoreContract } from './contract.ts'
import { createMemoryFences } from './memory.ts'

fenceStoreContract('memory', async () => {
  const store = createMemoryFences()
  return { open: async () => store, async [Symbol.asyncDispose]() {} }
})
