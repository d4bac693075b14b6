// `node permitting.mjs SCONCE -- ARGUMENTS`: Sconce's `torchserve` with ARGUMENTS, under a configuration to which the lines of permitted.properties are added. They
// are what somebody who moves here adds to a config.properties: TorchServe's tests do on purpose what Sconce permits only when it is told to.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PERMITTED = readFileSync(fileURLToPath(new URL('permitted.properties', import.meta.url)), 'utf8')
  .replaceAll(/<(.*?)>/g, (_, folder) => (folder === 'weights' ? process.env.TORCH_HOME : fileURLToPath(new URL(`../../.cache/${folder}`, import.meta.url))))
  .replaceAll('\\\n', '')
  .split('\n')
  .filter((line) => /^[a-z]/.test(line));

const [sconce, , ...args] = process.argv.slice(2);
const child = spawn(sconce, permitting(args), { stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => process.exit(code ?? (signal === null ? 1 : 128)));

function permitting(args) {
  if (args.some((word) => ['--stop', '--version', '-v', '--help', '-h'].includes(word))) return args;
  const at = args.indexOf('--ts-config');
  const named = process.env.TS_CONFIG_FILE || args[at + 1];
  const isNamed = at >= 0 || Boolean(process.env.TS_CONFIG_FILE);
  // A snapshot holds the settings of the server that wrote it, these among them.
  if (!isNamed && !args.some((word) => word === '--ncs' || word === '--no-config-snapshots') && hasSnapshot()) return args;
  const file = isNamed ? named : 'config.properties';
  if (isNamed && !existsSync(file)) return args;
  const content = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const keyOf = (line) => line.slice(0, line.indexOf('='));
  const added = PERMITTED.filter((line) => !content.split('\n').some((one) => one.trim().startsWith(`${keyOf(line)}=`)));
  const whole = join(mkdtempSync(join(tmpdir(), 'permitted-')), 'config.properties');
  writeFileSync(whole, `${content}\n${added.join('\n')}\n`);
  delete process.env.TS_CONFIG_FILE;
  return [...(at < 0 ? args : [...args.slice(0, at), ...args.slice(at + 2)]), '--ts-config', whole];
}

function hasSnapshot() {
  const folder = join(process.env.LOG_LOCATION ?? 'logs', 'config');
  return existsSync(folder) && readdirSync(folder).some((name) => name.endsWith('.cfg'));
}
