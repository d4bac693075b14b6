// `npm start`: serves the demo's ONNX model at once. Beside it, makes a virtual environment with PyTorch if there is none, and then registers the same
// weights behind a Python handler. What it does is said line by line; without Python the ONNX model goes on alone. Arguments go to `sconce serve`.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from './build.mjs';
import { ensurePythonEnvironment, environmentFolder } from './setup-python.mjs';

const REGISTERING_TIMEOUT_MS = 5 * 60_000;
const SAME_KEYSTROKE_MS = 1000;
const root = fileURLToPath(new URL('..', import.meta.url));
const say = (line) => console.log(line);

process.chdir(root);
await build();
// In its own process group: the server ends at once at a second signal, and Ctrl-C would reach it twice, from the terminal and from here.
const server = spawn(process.execPath, [join(root, 'bin', 'sconce'), 'serve', '--ts-config', 'demo/config.properties', '--ncs', ...process.argv.slice(2)], {
  stdio: ['ignore', 'pipe', 'inherit'],
  detached: true,
  env: { ...process.env, SCONCE_DEMO_PYTHON: join(environmentFolder(), 'bin', 'python') },
});
server.on('error', (error) => {
  console.error(`The server could not be started: ${error.message}`);
  process.exit(1);
});
server.on('close', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));

let askedToStopAt = 0;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    if (Date.now() - askedToStopAt < SAME_KEYSTROKE_MS) return;
    askedToStopAt = Date.now();
    server.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal);
  });
}

/** The addresses and the header of a server that has started, from what it prints: flags may have changed them. */
const { inference, management, header } = await new Promise((resolve) => {
  let output = '';
  const read = (chunk) => {
    output += chunk;
    const greeting = /^curl (-H '[^']+' )?(\S+)\/ping$/m.exec(output);
    if (greeting === null) return;
    server.stdout.off('data', read);
    const management = /Management API bind to: (\S+)/.exec(output)?.[1] ?? greeting[2];
    resolve({ inference: greeting[2], management, header: greeting[1] ?? '' });
  };
  server.stdout.on('data', (chunk) => process.stdout.write(chunk));
  server.stdout.on('data', read);
});
const predict = (model) => `curl ${header}-T demo/images/3.png ${inference}/predictions/${model}`;

say('\nThe digits classifier is served by ONNX Runtime, without Python. Show it a digit:');
say(predict('digits'));
try {
  await ensurePythonEnvironment({ log: say, purpose: 'demo' });
  say('Loading the same weights behind a Python handler on PyTorch …');
  await register();
  say('The same weights are served by PyTorch, from a TorchServe archive:');
  say(predict('digits_torch'));
} catch (error) {
  const [reason, ...details] = error.message.split('\n');
  const more = details.length > 0 ? ' (`node scripts/setup-python.mjs --demo` tells more)' : '';
  if (askedToStopAt === 0) say(`The Python model is left out, the ONNX model goes on: ${reason}${more}`);
}

async function register() {
  const authorization = header === '' ? {} : { authorization: `Bearer ${JSON.parse(readFileSync('key_file.json', 'utf8')).management.key}` };
  const response = await fetch(`${management}/models?url=digits_torch.mar&initial_workers=1`, {
    method: 'POST',
    headers: authorization,
    signal: AbortSignal.timeout(REGISTERING_TIMEOUT_MS),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.message);
}
