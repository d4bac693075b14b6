import { describe, expect, it } from 'vitest';
import { counted, scanned } from '../../../test/fixtures/scanned.js';

/** Opcodes as text, a character a byte, behind the header of protocol 2 (4 where it says so). */
function pickle(opcodes: string, protocol = 2): Buffer {
  return Buffer.concat([Buffer.from([0x80, protocol]), Buffer.from(opcodes, 'latin1')]);
}

function text(value: string): string {
  return `\u008c${String.fromCharCode(value.length)}${value}`;
}

const SYSTEM = 'cos\nsystem\n';

describe('what a pickle calls', () => {
  it('is told with file, byte, opcode and name', async () => {
    const { findings, hashes } = await scanned({ 'a.pkl': pickle(`${SYSTEM}(S'x'\ntR.`) });

    expect(findings).toEqual([
      { level: 'dangerous', rule: 'pickle-call', file: 'a.pkl', offset: 20, opcode: 'REDUCE', name: 'os.system', says: 'calls os.system when it is unpickled' },
    ]);
    expect(Object.keys(hashes)).toEqual(['a.pkl']);
  });

  it.each([
    ['a listed class with an argument too many', 'ctorch\nSize\n((I1\ntI2\ntR.'],
    ['a listed function with a name for an argument', `ctorch._utils\n_rebuild_parameter\n(${SYSTEM}I01\nNtR.`],
    ['a listed module by a longer name', 'ctorch.nn.modules.linear.x\nLinear\n)\u0081.'],
    ['a listed name of another module', 'ctorch.nn\nLinear\n)\u0081.'],
    ['an instance of a listed class', 'ctorch.nn.modules.linear\nLinear\n)\u0081)R.'],
    ['what only holds a value', 'cbuiltins\nint\n(S"1"\ntR.'],
    ['an encoding that is none of bytes', "c_codecs\nencode\n(S'x'\nS'rot13'\ntR."],
    ['a class of the archive that no file defines', 'cmine\nNet\n)\u0081.'],
    ['an old name of builtins', "c__builtin__\napply\n(S'x'\ntR."],
    ['a method of a storage', 'ctorch\nFloatStorage\n)R.'],
    ['what was popped back by a mark', `(${SYSTEM}1N.`],
  ])('counts against it: %s', async (_, opcodes) => {
    expect(counted(await scanned({ 'a.pkl': pickle(opcodes) }))).toContainEqual(expect.stringContaining('dangerous'));
  });

  it.each([
    ['a size', 'ctorch\nSize\n((I1\nI2\ntt\u0085R.'.replace('((', '(').replace('tt\u0085', 't\u0085')],
    ['an ordered dictionary with its state', 'ccollections\nOrderedDict\n)R}X\u0001\u0000\u0000\u0000aK\u0001sb.'],
    ['a layer', 'ctorch.nn.modules.linear\nLinear\n)\u0081}X\u0001\u0000\u0000\u0000aK\u0001sb.'],
    ['a set of Python 2', 'c__builtin__\nset\n](K\u0001e\u0085R.'],
    ['bytes of Python 2', "c_codecs\nencode\n(S'x'\nS'latin1'\ntR."],
  ])('does not: %s', async (_, opcodes) => {
    expect(counted(await scanned({ 'a.pkl': pickle(opcodes) }))).toEqual([]);
  });

  it('may be a class that a file of the archive defines, and no function of it', async () => {
    const source = 'import torch\n\nclass Net(torch.nn.Module):\n    class Inner: pass\n\ndef make(): pass\n';
    const of = (name: string) => scanned({ 'mine.py': source, 'a.pkl': pickle(`cmine\n${name}\n)\u0081.`) });

    expect(counted(await of('Net'))).toEqual([]);
    expect((await of('Net')).findings).toContainEqual(expect.objectContaining({ level: 'note', rule: 'pickle-own-class', name: 'mine.Net' }));
    for (const name of ['Inner', 'make', 'Net.Inner']) expect(counted(await of(name)), name).not.toEqual([]);
    expect(counted(await scanned({ 'json.py': source, 'a.pkl': pickle('cjson\nNet\n)\u0081.') }))).not.toEqual([]);
    expect(counted(await scanned({ 'mine.py': source, 'a.pkl': pickle('c__main__\nNet\n)\u0081.') }))).toEqual([]);
  });
});

describe('a memo', () => {
  it('with holes is filled as Python fills it: by the number of its entries', async () => {
    const named = `${text('system')}q\u00050${text('os')}\u00940h\u0001h\u0005\u0093${text('x')}\u0085R.`;

    expect((await scanned({ 'a.pkl': pickle(named, 4) })).findings).toMatchObject([{ name: 'os.system', rule: 'pickle-call' }]);
  });

  it('that is read where nothing was written names nothing that is known', async () => {
    expect(counted(await scanned({ 'a.pkl': pickle('h\u0001h\u0002\u0093.', 4) }))).toContain('dangerous pickle-import');
  });
});

describe('bytes that are no pickle', () => {
  it.each([
    ['a word list', 'cat\ndog\nrabbit\nbuilding\n'],
    ['a module that begins with a class', 'class Foo:\n    pass\n\nimport os\nos.system("x")\n'],
    ['a module that begins with an import', 'import os\nimport sys\n\nprint(os.sep)\n'],
    ['a PNG', Buffer.from('89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489', 'hex')],
    ['floats', Buffer.from(Float32Array.from({ length: 5000 }, (_, n) => Math.sin(n) * n).buffer)],
    ['a file of nothing', ''],
  ])('are left alone: %s', async (_, content) => {
    expect(counted(await scanned({ 'a.bin': content }))).toEqual([]);
  });

  it('behind a pickle are told of, and are searched', async () => {
    const trailing = await scanned({ 'a.pkl': Buffer.concat([pickle('N.'), Buffer.alloc(100)]) });
    const second = await scanned({ 'a.pkl': Buffer.concat([pickle('N.'), Buffer.alloc(100), pickle(`${SYSTEM}(S'x'\ntR.`)]) });

    expect(counted(trailing)).toEqual(['unknown pickle-trailing']);
    expect(counted(second)).toContain('dangerous pickle-call');
  });

  it('cut short are unknown, and dangerous when something ran before', async () => {
    expect(counted(await scanned({ 'a.pkl': pickle('}X\u0005\u0000\u0000\u0000ab') }))).toEqual(['unknown pickle-broken']);
    expect(counted(await scanned({ 'a.pkl': pickle(`${SYSTEM}(S'x'\ntR`) }))).toContain('dangerous pickle-call');
  });
});

describe('PK7 a bomb', () => {
  it.each([
    ['100,000 opcodes where 50,000 are allowed', pickle(`${'N0'.repeat(50_000)}N.`), { opcodes: 50_000 }],
    ['a memo longer than is allowed', pickle('Nr\u00ff\u00ff\u00ff\u007f.'), {}],
    ['a stack longer than is allowed', pickle(`${'N'.repeat(50_000)}.`), { memo: 20_000 }],
    ['marks in marks', pickle(`${'('.repeat(50_000)}.`), { memo: 20_000 }],
    ['lists in lists', pickle(`${']'.repeat(50_000)}${'a'.repeat(49_999)}.`), { memo: 20_000 }],
    ['more time than is allowed', pickle(`${'N0'.repeat(50_000)}N.`), { timeMs: 0 }],
  ])('ends the scan and the model: %s', async (_, content, limits) => {
    expect(counted(await scanned({ 'a.pkl': content }, limits))).toContain('dangerous limit');
  });

  it('of a string of a gigabyte costs nothing: what is skipped is not read', async () => {
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(2n ** 30n);

    expect(counted(await scanned({ 'a.pkl': Buffer.concat([pickle('\u008e', 4), length, Buffer.from('x')]) }))).toEqual(['unknown pickle-broken']);
  });
});
