import { pack } from '../archives.js';
import type { Workbench } from '../workbench.js';

/** What the servers themselves cost. */
export async function noop(bench: Workbench): Promise<void> {
  const { root, store, seconds } = bench;
  await pack(root, store, 'noop', 'noop.py', 'minWorkers: 2\nmaxWorkers: 2\n');
  await bench.onStage({
    title: 'No-op Python handler, 2 workers',
    models: 'noop.mar',
    probe: { model: 'noop', body: 'x', contentType: 'application/octet-stream', right: (text) => text === 'ok' },
    measure: async () => {
      for (const connections of [1, 32]) {
        await bench.compare(`no-op, ${connections} connection${connections > 1 ? 's' : ''}`, (port) => ({
          url: `http://127.0.0.1:${port}/predictions/noop`,
          body: 'x',
          contentType: 'application/octet-stream',
          connections,
          seconds,
        }));
      }
    },
  });
}
