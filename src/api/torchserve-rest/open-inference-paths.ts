import type { Route } from '../route.js';

/** TorchServe's share of the Open Inference Protocol, served only where it is switched on. The misspelt key is part of the contract. */
export function openInferencePaths(torchServeVersion: string): readonly Route[] {
  const common = { connector: 'inference', methods: 'any', scope: 'infer' } as const;
  return [
    {
      ...common,
      pattern: '/v2',
      handle: (_request, reply) => reply.json(200, { name: 'Torchserve', version: torchServeVersion, extenstion: ['kserve', 'kubeflow'] }),
    },
    { ...common, pattern: '/v2/health/live', handle: (_request, reply) => reply.json(200, { live: true }) },
    { ...common, pattern: '/v2/health/ready', handle: (_request, reply) => reply.json(200, { ready: true }) },
    {
      ...common,
      pattern: '/*',
      fits: (segments) => segments.length >= 5 && segments.some((segment) => segment.startsWith('versions')),
      handle: (_request, reply) => reply.json(501, { error: 'Model versioning is not yet supported.' }),
    },
  ];
}
