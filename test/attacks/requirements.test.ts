import { createWriteStream, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ZipFile } from 'yazl';
import { z } from 'zod';
import { call, RunningServer } from '../e2e/running-server.js';
import { archive } from '../fixtures/archives.js';
import { wheel } from '../fixtures/wheels.js';

const server = new RunningServer();
/** The operator's own packages. */
const wheels = join(server.folder, 'wheels');
/** Whoever can write here runs as the server. */
const marks = join(server.folder, 'marks');
const own = mkdtempSync(join(tmpdir(), 'sconce-wheels-'));

const trace = (by: string) => `
import os
try:
    open(${JSON.stringify(join(marks, by))}, "w").close()
except OSError as error:
    pass
`;
const script = (by: string) => `#!/bin/sh\n: > '${join(marks, by)}'\nexec python3 "$@"\n`;

/** A source package that is built by code of its own, which needs nothing but Python. */
const SOURCE = {
  'backend.py': `${trace('built')}\nraise SystemExit("never to be built")\n`,
  'pyproject.toml': '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n[project]\nname = "source"\nversion = "1.0"\n',
};

beforeAll(async () => {
  for (const folder of [wheels, marks]) mkdirSync(folder);
  await zipped(join(wheels, 'source-1.0.zip'), Object.fromEntries(Object.entries(SOURCE).map(([name, text]) => [`source-1.0/${name}`, text])));
  await server.start({ config: { install_py_dep_per_model: 'true', sconce_wheel_folder: wheels } });
});

afterAll(async () => {
  rmSync(own, { recursive: true });
  await server.dispose();
});

afterEach(async () => {
  expect(readdirSync(marks)).toEqual([]);
  expect((await call(`${server.inference}/ping`)).status).toBe(200);
});

async function zipped(file: string, files: Readonly<Record<string, string>>): Promise<void> {
  const zip = new ZipFile();
  for (const [name, text] of Object.entries(files)) zip.addBuffer(Buffer.from(text), name);
  zip.end();
  await pipeline(zip.outputStream, createWriteStream(file));
}

async function register(name: string, requirements: string, files: Readonly<Record<string, string | Buffer>>, config = '') {
  const file = await archive(server.store, {
    name,
    handler: 'surroundings.py:handle',
    files: { ...files, 'requirements.txt': requirements },
    model: { requirementsFile: 'requirements.txt' },
    config,
  });
  return server.manage('POST', `/models?url=${file}&initial_workers=1&synchronous=true`);
}

describe('AR11 the packages of an archive', () => {
  it.each([
    ['in a virtual environment', 'useVenv: true\n'],
    ['beside the interpreter’s', ''],
  ])('that run code whenever an interpreter starts, and replace it, run in the sandbox alone: %s', async (_, config) => {
    const name = config === '' ? 'beside' : 'inside';
    const data = 'early-1.0.data';
    await wheel(own, {
      name: 'early',
      version: '1.0',
      module: '__version__ = "1.0"\n',
      files: {
        'early_start.py': trace('pth'),
        'early.pth': 'import early_start\n',
        'sitecustomize.py': trace('sitecustomize'),
        'usercustomize.py': trace('usercustomize'),
        'torch/__init__.py': `${trace('torch')}\n__version__ = "own"\n`,
        'ts/__init__.py': trace('ts'),
        'sconce_worker/__init__.py': trace('worker'),
        'pip/__init__.py': trace('pip'),
        'encodings/__init__.py': trace('encodings'),
        [`${data}/data/bin/python`]: script('python'),
        [`${data}/data/bin/python._pth`]: '.\nimport site\n',
        [`${data}/data/bin/pyvenv.cfg`]: 'home = /nowhere\n',
        [`${data}/data/sitecustomize.py`]: trace('data'),
        [`${data}/scripts/python3`]: script('python3'),
      },
    });
    const packed = readFileSync(join(own, 'early-1.0-py3-none-any.whl'));

    const registered = await register(name, './wheels/early-1.0-py3-none-any.whl\n', { 'wheels/early-1.0-py3-none-any.whl': packed }, config);

    expect(registered.text).toContain('registered with 1 initial workers');
    const body = JSON.stringify({ modules: ['early', 'early_start', 'torch'] });
    const ask = () => server.predict(name, { body, headers: { 'content-type': 'application/json' } });
    const { status, json } = await ask();
    expect([status, json()]).toMatchObject([200, { modules: { early: { version: '1.0' }, torch: { version: 'own' } } }]);
    // Found again without an installation: the cache holds what they have replaced.
    expect((await server.manage('DELETE', `/models/${name}`)).status).toBe(200);
    expect((await server.manage('POST', `/models?url=${name}.mar&initial_workers=1&synchronous=true`)).status).toBe(200);
    expect((await ask()).status).toBe(200);
  });

  it.each([
    ['a folder of it', './source\n'],
    ['a folder of it, to be edited', '-e ./source\n'],
    ['a source archive of it', './source-1.0.zip\n'],
    ['one that the operator has as source alone', 'source\n'],
    ['that, with wheels forbidden', '--no-binary :all:\nsource\n'],
    ['that, with the rule taken back', '--only-binary :none:\nsource\n'],
    ['a wheel that requires a folder', './wheels/demanding-1.0-py3-none-any.whl\n'],
  ])('that have to be built are not: %s', async (_, requirements) => {
    await wheel(own, { name: 'demanding', version: '1.0', module: '', requires: [`source @ file://${join(wheels, 'source-1.0.zip')}`] });
    const files = {
      ...Object.fromEntries(Object.entries(SOURCE).map(([name, text]) => [`source/${name}`, text])),
      'source-1.0.zip': readFileSync(join(wheels, 'source-1.0.zip')),
      'wheels/demanding-1.0-py3-none-any.whl': readFileSync(join(own, 'demanding-1.0-py3-none-any.whl')),
    };

    const answer = await register('building', requirements, files);

    const { message } = z.object({ message: z.string() }).parse(answer.json());
    expect([answer.status, message]).toEqual([400, expect.stringContaining('Custom pip package installation failed for model building')]);
    const grant = 'sconce_grants={"building": {"requirements": "anywhere"}} permits it';
    if (!message.includes(grant)) await server.logHas('model_log.log', grant);
  });
});
