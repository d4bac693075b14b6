import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { HOME } from '../composition/backends.js';
import { ModelPathRefused } from './model-target.js';

const KINDS = ['python', 'typescript', 'onnx'];
const NAME = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;
const PLACEHOLDER = /__NAME__/g;
/** Copied as they are. */
const BINARY = new Set(['.onnx', '.pt', '.png']);

/** `sconce new`: copies a starter into the folder `name`, with the name in place of `__NAME__`, and prints what to do next. Throws ModelPathRefused. */
export function makeStarter(name: string, { kind, force }: { readonly kind: string; readonly force: boolean }): void {
  if (!KINDS.includes(kind)) throw ModelPathRefused({ message: `There is no starter of kind ${kind}: there are ${KINDS.join(', ')}.` });
  if (!NAME.test(name)) throw ModelPathRefused({ message: `${name} is no name for a model: a letter first, then letters, digits, _ and -, 64 at most.` });
  if (existsSync(name) && !statSync(name).isDirectory()) throw ModelPathRefused({ message: `${name} is there already, and is a file.` });
  if (existsSync(name) && readdirSync(name).length > 0 && !force)
    throw ModelPathRefused({ message: `${name} is there already, and is not empty; --force writes into it.` });
  copy(join(HOME, 'templates', kind), name, name);
  process.stdout.write(`${nextSteps(name, kind)}\n`);
}

function copy(from: string, to: string, name: string): void {
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    if (entry.name === '__pycache__') continue;
    const source = join(from, entry.name);
    // A package never brings a file of that name.
    const target = join(to, entry.name === 'gitignore' ? '.gitignore' : entry.name);
    if (entry.isDirectory()) copy(source, target, name);
    else if (BINARY.has(extname(entry.name))) copyFileSync(source, target);
    else writeFileSync(target, readFileSync(source, 'utf8').replace(PLACEHOLDER, name));
  }
}

function nextSteps(name: string, kind: string): string {
  const test = kind === 'python' ? 'python3 -m unittest' : 'node --test';
  return [
    `${name} is ready. Next:`,
    `  cd ${name}`,
    '  sconce run . -f sample.json     # ask it once',
    '  sconce dev                      # serve it; reloads when you change it',
    `  ${test.padEnd(31)} # its test`,
    '  sconce pack .                   # an archive for the model store',
  ].join('\n');
}
