// `npm start`: serves the demo's ONNX model at once. Beside it, makes a virtual environment with PyTorch if there is none, and then registers the same
// weights behind a Python handler. What it does is said line by line; without Python the ONNX model goes on alone.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from './build.mjs';
import { ensurePythonEnvironment, environmentFolder } from './setup-python.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const say = (line) => console.log(line);

process.chdir(root);
await build();
const server = spawn(process.execPath, [join(root, 'bin', 'sconce'), 'serve', '--ts-config', 'demo/config.properties', '--ncs', ...process.argv.slice(2)], {
  stdio: ['inherit', 'pipe', 'inherit'],
  env: { ...process.env, SCONCE_DEMO_PYTHON: join(environmentFolder(), 'bin', 'python') },
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => server.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal));
server.on('exit', (code, signal) => process.exit(code ?? (signal ? 1 : 0)));

let output = '';
const started = new Promise((resolve) => {
  server.stdout.on('data', (chunk) => {
    process.stdout.write(chunk);
    if (output === undefined) return;
    output += chunk;
    if (!/^curl /m.test(output)) return;
    output = undefined;
    resolve();
  });
});

await started;
const keys = JSON.parse(readFileSync('key_file.json', 'utf8'));
const predict = (model) => `curl -H 'Authorization: Bearer ${keys.inference.key}' -T demo/images/3.png http://127.0.0.1:8080/predictions/${model}`;
say('\nThe digits classifier is served by ONNX Runtime, without Python. Show it a digit:');
say(predict('digits'));
try {
  await ensurePythonEnvironment({ log: say, purpose: 'demo' });
  say('Loading the same weights behind a Python handler on PyTorch …');
  const response = await fetch('http://127.0.0.1:8081/models?url=digits_torch.mar&initial_workers=1', {
    method: 'POST',
    headers: { authorization: `Bearer ${keys.management.key}` },
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.message);
  say('The same weights are served by PyTorch, from a TorchServe archive:');
  say(predict('digits_torch'));
} catch (error) {
  say(`The Python model is left out, the ONNX model goes on: ${error.message}`);
}
