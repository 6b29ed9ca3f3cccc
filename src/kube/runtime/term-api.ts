/** The API as a leader may use it. */
import type { KubeApi } from '../client/api.ts'
import type { LeadershipTerm } from './leadership-term.ts'

/**
 * Returns an API whose writes end with the term: none begins after it, and one that is under way is aborted. A request
 * that has left this machine cannot be called back; the lease is longer than the leader's deadline for that reason.
 */
export function withTerm(api: KubeApi, term: Pick<LeadershipTerm, 'signal' | 'assertHeld'>): KubeApi {
  const bound = (signal: AbortSignal): AbortSignal => {
    term.assertHeld()
    return AbortSignal.any([signal, term.signal])
  }
  return {
    connection: api.connection,
    list: (resource, selection, signal) => api.list(resource, selection, signal),
    get: (resource, at, signal) => api.get(resource, at, signal),
    watch: (resource, options, signal) => api.watch(resource, options, signal),
    create: async (resource, object, signal) => api.create(resource, object, bound(signal)),
    replace: async (resource, object, signal) => api.replace(resource, object, bound(signal)),
    apply: async (resource, object, signal) => api.apply(resource, object, bound(signal)),
    applyStatus: async (resource, object, signal) => api.applyStatus(resource, object, bound(signal)),
    patch: async (resource, at, patch, signal) => api.patch(resource, at, patch, bound(signal)),
    patchStatus: async (resource, at, patch, signal) => api.patchStatus(resource, at, patch, bound(signal)),
    delete: async (resource, at, signal, how) => api.delete(resource, at, bound(signal), how),
  }
}
