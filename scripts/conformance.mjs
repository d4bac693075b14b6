// `npm run conformance`: the real TorchServe 0.12, installed into .cache/peer where it is missing, and Sconce, asked the same; then real clients, installed
// into .cache/clients, ask Sconce. `-- NAME …` asks only the groups
// whose names hold one of the words.
import { fileURLToPath } from 'node:url';
import { build } from './build.mjs';
import { ensureClients } from './clients.mjs';
import { ensurePeer } from './peer.mjs';
import { runBundled } from './run-bundled.mjs';
import { ensurePythonEnvironment } from './setup-python.mjs';

const log = (line) => console.log(line);

process.env.SCONCE_CONFORMANCE_ROOT = fileURLToPath(new URL('..', import.meta.url));
process.env.SCONCE_CONFORMANCE_PYTHON = await ensurePythonEnvironment({ log });
process.env.SCONCE_CONFORMANCE_ONLY = process.argv.slice(2).join(',');
await ensurePeer({ log });
process.env.SCONCE_CONFORMANCE_CLIENTS = ensureClients({ log });
await build({ force: true });
await runBundled('conformance', 'test/conformance/conformance.ts');
