# The image of ingot: the program, and the legacy backend of the drills. It runs as any user on a read-only root.
#
#   docker build -t ingot:dev .
#
# Another base image or a mirror: --build-arg NODE_IMAGE=registry.example/node:24-trixie-slim
ARG NODE_IMAGE=node:24-trixie-slim

# production dependencies only. Install scripts of packages are disabled; none of these packages needs one
FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts --loglevel=error \
  && find node_modules -type f \( -name '*.md' -o -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete

# the build: all dependencies except Node, which the base image has (the npm package `node` downloads it in a script)
FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --loglevel=error
COPY tsconfig.json tsconfig.build.json ./
COPY tools/finish-build.mjs tools/
# owned by the user id of the pods: the Tiltfile runs this stage and writes changed files there
COPY --chown=1000:1000 src src
RUN node node_modules/typescript/bin/tsc -p tsconfig.build.json && node tools/finish-build.mjs \
  && find dist -type f \( -name '*.d.ts' -o -name '*.map' \) -delete

FROM ${NODE_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="ingot" \
  org.opencontainers.image.description="An ingestion service that stores every distinct item exactly once." \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}"
ENV NODE_ENV=production
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json ./
COPY examples/legacy-backend examples/legacy-backend
# the load tests, which k6 runs beside the runner of a drill
COPY loadtests/ingest.ts loadtests/
COPY loadtests/lib loadtests/lib
COPY src/drill/sources/k6/plan.ts src/drill/sources/k6/sample.ts src/drill/sources/k6/
COPY src/drill/spelling.ts src/drill/
COPY src/std/random.ts src/std/
# a number, so that Kubernetes can check that it is not root
USER 1000:1000
EXPOSE 8080
# node is process 1, so it receives SIGTERM and drains. The two options are those of `npm start`
ENTRYPOINT ["node", "--max-semi-space-size=16", "--heap-growing-percent=60", "dist/cli.js"]
CMD ["serve"]
