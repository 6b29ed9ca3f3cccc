import { beforeEach } from 'vitest'
import { hasHelm } from './helm.ts'

beforeEach(({ skip }) => skip(!hasHelm(), 'helm is not installed'))
