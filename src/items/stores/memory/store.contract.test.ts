import { storeContract } from '../../contract.ts'
import { createMemoryStore } from './store.ts'

storeContract('memory', async () => createMemoryStore())
