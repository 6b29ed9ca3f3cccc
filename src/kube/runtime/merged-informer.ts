/** Several informers of one kind as one: for an operator that may watch some namespaces, and not all. */
import type { KubeObject } from '../client/resource.ts'
import type { Informer } from './informer.ts'

/** Keys are unique across the informers, because each watches another namespace. */
export function mergeInformers<T extends KubeObject>(informers: readonly Informer<T>[]): Informer<T> {
  const [only, ...others] = informers
  if (only !== undefined && others.length === 0) return only
  const synced = Promise.all(informers.map((informer) => informer.synced)).then(() => undefined)
  return {
    synced,
    get: (key) => informers.map((informer) => informer.get(key)).find((object) => object !== undefined),
    all: () => informers.flatMap((informer) => informer.all()),
    onChange(listener) {
      for (const informer of informers) informer.onChange(listener)
    },
    staleMs: () => Math.max(...informers.map((informer) => informer.staleMs())),
    async run(signal) {
      await Promise.all(informers.map((informer) => informer.run(signal)))
    },
  }
}
