# syntax=docker/dockerfile:1
# Tally without its embedded PostgreSQL: DATABASE_URL names one. See docs/deployment.md.

FROM node:22-slim AS build
WORKDIR /tally
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --omit=optional
COPY tsconfig.json tsconfig.build.json ./
COPY gen gen
COPY src src
RUN npm run -s build

FROM node:22-slim AS dependencies
WORKDIR /tally
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --omit=dev --omit=optional

FROM node:22-slim
LABEL org.opencontainers.image.title="Tally" \
      org.opencontainers.image.description="The meter, the till and the ledger beside an AI gateway" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production \
    TALLY_GRPC_ADDRESS=0.0.0.0:50051 \
    TALLY_HTTP_ADDRESS=0.0.0.0:8080 \
    TALLY_AUTH=required
WORKDIR /tally
COPY --from=dependencies /tally/node_modules node_modules
COPY --from=build /tally/dist dist
COPY bin bin
COPY package.json LICENSE ./
# A number, so that Kubernetes can tell that it is not root.
USER 1000:1000
EXPOSE 50051 8080
# With TLS, set TALLY_TLS_CA to the CA's certificate, and the check speaks TLS.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "bin/tally.js", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "bin/tally.js"]
CMD ["serve"]
