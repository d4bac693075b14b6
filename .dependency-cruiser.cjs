// Who may import whom: the rooms of the request's path in their order. A file imports from its own room and from the rooms listed here.
const ROOMS = {
  inference: ['errors'],
  errors: [],
  config: ['errors'],
  observability: ['errors', 'inference'],
  platform: ['errors'],
  threads: ['errors', 'platform'],
  authenticity: ['inference', 'errors', 'config', 'observability', 'threads'],
  backends: ['inference', 'errors', 'config', 'observability', 'platform', 'threads'],
  fuzzing: ['inference', 'errors'],
  inputs: ['inference', 'errors', 'observability', 'threads'],
  models: ['inputs', 'authenticity', 'scanning', 'inference', 'errors', 'config', 'observability', 'platform', 'threads'],
  packing: ['models', 'inputs', 'authenticity', 'scanning', 'backends', 'inference', 'errors', 'config', 'observability', 'platform', 'threads'],
  scanning: ['inference', 'errors', 'config', 'observability', 'platform', 'threads'],
  scheduling: ['inference', 'errors', 'config', 'observability'],
  registry: ['scheduling', 'models', 'inputs', 'inference', 'errors', 'config', 'observability'],
  snapshots: ['registry', 'models', 'inference', 'errors', 'config', 'observability'],
  tenants: ['inference', 'errors'],
  workflows: ['registry', 'models', 'authenticity', 'scanning', 'inference', 'errors', 'config', 'observability'],
  admission: ['workflows', 'registry', 'inference', 'errors', 'config', 'observability'],
  api: ['admission', 'inference', 'errors', 'config', 'observability'],
  listener: ['api', 'config', 'errors', 'observability', 'inference'],
};

const roomRules = Object.entries(ROOMS).map(([room, allowed]) => {
  const may = [room, ...allowed].join('|');
  // The registry composes replicas, but names no kind of backend: files directly in backends/, none of its folders.
  const extra = room === 'registry' ? '|^src/backends/[^/]+\\.ts$' : '';
  return {
    name: `room-${room}`,
    comment: `${room} imports only from ${[room, ...allowed].join(', ')}`,
    severity: 'error',
    from: { path: `^src/${room}/`, pathNot: '\\.test\\.ts$' },
    to: { path: '^src/', pathNot: `^src/(${may})/|^src/lifecycle\\.ts$${extra}` },
  };
});

module.exports = {
  forbidden: [
    ...roomRules,
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'backends-apart',
      comment: 'kinds of backend do not know one another',
      severity: 'error',
      from: { path: '^src/backends/([^/]+)/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/backends/[^/]+/', pathNot: '^src/backends/$1/' },
    },
    {
      name: 'nobody-imports-cli',
      severity: 'error',
      from: { pathNot: '^src/(cli|main\\.ts)|\\.test\\.ts$|^test/|^bench/' },
      to: { path: '^src/(cli/|main\\.ts$)' },
    },
    {
      name: 'composition-on-top',
      comment: 'parts are put together by main.ts and by commands; no room knows how',
      severity: 'error',
      from: { pathNot: '^src/(composition/|cli/|main\\.ts$)|\\.test\\.ts$|^test/|^bench/' },
      to: { path: '^src/composition/' },
    },
    { name: 'tests-stay-outside', severity: 'error', from: { path: '^src/', pathNot: '\\.test\\.ts$' }, to: { path: '^(test|bench)/|\\.test\\.ts$' } },
    {
      name: 'only-declared-packages',
      severity: 'error',
      from: { path: '^src/', pathNot: '\\.test\\.ts$' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|node_modules)/' },
  },
};
