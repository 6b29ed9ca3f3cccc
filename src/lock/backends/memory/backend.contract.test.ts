import { systemClock } from '../../../std/clock.ts'
import { lockContract } from '../../contract.ts'
import { createMemoryBackend } from './backend.ts'

const alone = 'it lives in one process'

lockContract('memory', async () => {
  const backend = createMemoryBackend({ clock: systemClock })
  return { backend, [Symbol.asyncDispose]: () => backend[Symbol.asyncDispose]() }
}, [
  { test: 'keeps a key from another process until it is released', reason: alone },
  { test: 'raises the fence across processes', reason: alone },
  { test: 'frees the key of a killed process when its lease ends', reason: alone },
])
