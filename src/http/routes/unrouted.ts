/**
 * Refuses requests without a route before a body is read: with 405 and Allow if the path has other methods, else with
 * 404.
 */
import type { FastifyInstance } from 'fastify'
import { IngotError } from '../../errors/error.ts'

/** Registers the check. Call it before the routes are registered. */
export function refuseUnrouted(app: FastifyInstance): void {
  const methodsByPath = new Map<string, string[]>()
  app.addHook('onRoute', ({ url, method }) => {
    methodsByPath.set(url, [...(methodsByPath.get(url) ?? []), ...[method].flat()])
  })
  let routes: readonly Route[] = []
  app.addHook('onReady', async () => {
    routes = Array.from(methodsByPath, ([path, methods]) => ({ segments: segmentsOf(path), methods }))
  })
  app.addHook('onRequest', async (request, reply) => {
    if (!request.is404) return
    const [path = ''] = request.url.split('?', 1)
    const methods = routes.find((route) => fits(route, segmentsOf(path)))?.methods ?? []
    if (methods.length === 0) throw new IngotError('NOT_FOUND', `there is no ${shown(path)}`)
    reply.header('allow', methods.join(', '))
    throw new IngotError('METHOD_NOT_ALLOWED', `${request.method} is not a method of ${shown(path)}`)
  })
}

interface Route {
  readonly segments: readonly string[]
  readonly methods: readonly string[]
}

function segmentsOf(path: string): readonly string[] {
  return path.split('/')
}

/** Returns true if the path matches the route, in which `:name` is any segment and `::` is a colon. */
function fits(route: Route, path: readonly string[]): boolean {
  const { segments } = route
  return (
    segments.length === path.length &&
    segments.every((segment, at) =>
      /^:[^:]/.test(segment) ? path[at] !== '' : segment.replaceAll('::', ':') === path[at],
    )
  )
}

/** Maximum number of characters of an unknown path that a response repeats. */
const MAX_PATH_SHOWN = 200

function shown(path: string): string {
  return path.length > MAX_PATH_SHOWN ? `${path.slice(0, MAX_PATH_SHOWN)}...` : path
}
