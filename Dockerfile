# A server on Node and Debian's Python, without PyTorch: build on top of it and install what your models need, or name an interpreter with `python=`.
FROM node:20-bookworm-slim AS build
WORKDIR /opt/sconce
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
RUN npm run build && npm ci --omit=dev && rm -rf /root/.npm

FROM node:20-bookworm-slim
RUN apt-get update \
  && apt-get install --yes --no-install-recommends python3 python3-venv \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --create-home --uid 10001 model-server \
  && install --directory --owner=model-server /home/model-server/model-store
COPY --from=build /opt/sconce /opt/sconce
RUN for tool in sconce torchserve torch-model-archiver torch-workflow-archiver; do ln -s "/opt/sconce/bin/$tool" "/usr/local/bin/$tool"; done
USER model-server
WORKDIR /home/model-server
EXPOSE 8080 8081 8082 7070 7071
HEALTHCHECK --interval=10s --start-period=60s CMD ["sconce", "status"]
CMD ["sconce", "serve", "--model-store", "/home/model-server/model-store"]
