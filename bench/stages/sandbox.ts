import { pack } from '../archives.js';
import { run } from '../load.js';
import { withLoneServer } from '../lone-server.js';
import { alternate, compareStarts, told } from '../pairs.js';
import type { Workbench } from '../workbench.js';

const SPAWNS = 15;

/** What the sandbox costs a Python worker: Sconce alone, with it and without. Both models live in one server, and loads alternate between them. */
export async function sandbox(bench: Workbench): Promise<void> {
  const { root, store, seconds } = bench;
  console.log('\n## The sandbox: with it and without');
  for (const name of ['noop', 'noop_bare']) await pack(root, store, name, 'noop.py', 'minWorkers: 1\nmaxWorkers: 2\n');
  const models = ['noop.mar', 'noop_bare.mar'];
  await withLoneServer(bench, { name: 'sandbox', models, grants: { noop_bare: { sandbox: 'off' } } }, async ({ inference, scale }) => {
    const [enclosed, bare] = await compareStarts(scale, ['noop', 'noop_bare'], SPAWNS);
    console.log(
      `one more Python worker until it is ready: ${enclosed.toFixed(1)} ms in the sandbox, ${bare.toFixed(1)} ms without: ${(enclosed - bare).toFixed(1)} ms added`,
    );
    for (const connections of [1, 32]) {
      const load = (model: string) => () =>
        run({ url: `${inference}/predictions/${model}`, body: '"x"', contentType: 'application/json', connections, seconds });
      const pairs = await alternate(load('noop'), load('noop_bare'), bench.rounds);
      console.log(`a no-op Python handler, ${connections} connection${connections > 1 ? 's' : ''}: ${told(pairs, (one) => one.requestsPerSecond, '/s', 0)}`);
    }
  });
}
