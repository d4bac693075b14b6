import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it, vi } from 'vitest';
import { ZipFile } from 'yazl';
import { counted, scanned } from '../../../test/fixtures/scanned.js';

const EVIL = Buffer.from("\u0080\u0002cos\nsystem\n(S'x'\ntR.", 'latin1');
const FINE = Buffer.from('\u0080\u0002}.', 'latin1');

async function zipOf(files: Readonly<Record<string, Buffer>>, compress = false): Promise<Buffer> {
  const zip = new ZipFile();
  for (const [name, content] of Object.entries(files)) zip.addBuffer(content, name, { compress });
  zip.end();
  return buffer(zip.outputStream);
}

describe('a zip', () => {
  it('is scanned member by member, however it is packed and wherever it begins', async () => {
    for (const content of [
      await zipOf({ 'm/data.pkl': EVIL }),
      await zipOf({ 'm/x.txt': EVIL }, true),
      Buffer.concat([Buffer.alloc(1e6, 65), await zipOf({ a: EVIL })]),
    ])
      expect(counted(await scanned({ 'a.bin': content }))).toContain('dangerous pickle-call');
    expect(counted(await scanned({ 'a.bin': await zipOf({ 'm/data.pkl': FINE, 'm/version': Buffer.from('3\n') }) }))).toEqual([]);
  });

  it('inside a zip is opened, and says in which member of which', async () => {
    const { findings } = await scanned({ 'a.zip': await zipOf({ 'inner.zip': await zipOf({ 'evil.pkl': EVIL }, true) }) });

    expect(findings).toMatchObject([{ file: 'a.zip » inner.zip » evil.pkl' }]);
  });

  it('with a member that its directory does not name, or two of one name, is dangerous', async () => {
    const whole = await zipOf({ a: FINE });
    const other = await zipOf({ hidden: EVIL });
    const local = other.subarray(0, other.indexOf('PK\u0001\u0002', 0, 'latin1'));
    const twice = Buffer.from((await zipOf({ aa: FINE, bb: FINE })).toString('latin1').replaceAll('bb', 'aa'), 'latin1');

    expect(counted(await scanned({ 'a.zip': Buffer.concat([local, whole]) }))).toEqual(['dangerous zip-headers', 'dangerous pickle-call']);
    expect(counted(await scanned({ 'a.zip': twice }))).toEqual(['dangerous zip-headers']);
  });

  it('reads names of TorchScript only where it is TorchScript', async () => {
    const scripted = Buffer.from('\u0080\u0002c__torch__.mine\nNet\n)\u0081}X\u0001\u0000\u0000\u0000aK\u0001sb.', 'latin1');

    expect(counted(await scanned({ 'a.pt': await zipOf({ 'm/data.pkl': scripted, 'm/constants.pkl': FINE, 'm/code/x.py': Buffer.from('x') }) }))).toEqual([]);
    expect(counted(await scanned({ 'a.pt': await zipOf({ 'm/data.pkl': scripted }) }))).toContain('dangerous pickle-call');
  });

  it('that unpacks to more than is allowed is dangerous', async () => {
    const bomb = await zipOf({ 'a.bin': Buffer.alloc(30_000_000) }, true);

    expect(counted(await scanned({ 'a.zip': bomb }, { unpackedBytes: 10_000_000 }))).toEqual(['dangerous limit']);
    expect(counted(await scanned({ 'a.zip': bomb }))).toEqual([]);
  });
});

describe('raw numbers in a checkpoint', () => {
  it.each([
    ['the header of a pickle and a name', Buffer.concat([Buffer.from('8002692b9f0ac3810aff', 'hex'), Buffer.alloc(50, 0xff)])],
    ['the header of a pickle and a memo', Buffer.concat([Buffer.from('80044e72ffffffff', 'hex'), Buffer.alloc(50, 0xff)])],
    ['a short pickle', Buffer.concat([Buffer.from('80024e2e', 'hex'), Buffer.alloc(50, 0xff)])],
    ['a list and a stop', Buffer.concat([Buffer.from('].'), Buffer.alloc(50, 0xff)])],
    ['the version of an ONNX model', Buffer.from('08073a02ffff', 'hex')],
  ])('may begin with what looks like %s', async (_, content) => {
    expect(counted(await scanned({ 'a.pt': await zipOf({ 'm/data/0': content, 'm/data.pkl': FINE }) }))).toEqual([]);
  });
});

describe('what is packed', () => {
  it('is unpacked as far as it goes', async () => {
    const cut = gzipSync(Buffer.concat([EVIL, randomBytes(100_000)])).subarray(0, 3000);

    expect(counted(await scanned({ 'a.gz': cut }))).toEqual(expect.arrayContaining(['dangerous pickle-call', 'unknown packed']));
    expect(counted(await scanned({ 'a.joblib': deflateSync(EVIL) }))).toContain('dangerous pickle-call');
    expect(counted(await scanned({ 'a.txt': 'x^ is how zlib begins, and this is text' }))).toEqual([]);
  });

  it('of more than is kept in memory is scanned to its end, in a file that is gone afterwards', async () => {
    const temporary = mkdtempSync(join(tmpdir(), 'sconce-spilled-'));
    vi.stubEnv('TMPDIR', temporary);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(80_000_000);
    const large = gzipSync(Buffer.concat([Buffer.from('\u0080\u0004B', 'latin1'), length, Buffer.alloc(80_000_000), Buffer.from('.'), EVIL]), { level: 1 });

    expect(counted(await scanned({ 'a.gz': large }))).toEqual(['dangerous pickle-call']);
    expect(readdirSync(temporary)).toEqual([]);
    vi.unstubAllEnvs();
    rmSync(temporary, { recursive: true });
  }, 30_000);
});

describe('a safetensors file', () => {
  function tensors(header: object, dataBytes: number): Buffer {
    const json = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(json.length));
    return Buffer.concat([length, json, Buffer.alloc(dataBytes)]);
  }

  it('is fine within its bounds, whatever it is called, and dangerous beyond', async () => {
    const tensor = { dtype: 'F32', shape: [2], data_offsets: [0, 8] };

    expect(counted(await scanned({ 'a.bin': tensors({ a: tensor, __metadata__: { format: 'pt' } }, 8) }))).toEqual([]);
    expect(counted(await scanned({ 'a.bin': tensors({ a: tensor }, 7) }))).toEqual(['dangerous safetensors-header']);
    expect(counted(await scanned({ 'a.safetensors': 'short' }))).toEqual(['dangerous safetensors-header']);
  });
});

describe('a chat template', () => {
  it('of a conversation is fine; one that reaches for the insides is not', async () => {
    const honest = "{% for m in messages %}{{ '<|' + m['role'] + '|>' + m.content }}{% endfor %}{{ raise_exception('x') if not messages }}";

    expect(counted(await scanned({ 'tokenizer_config.json': JSON.stringify({ chat_template: honest }) }))).toEqual([]);
    expect(counted(await scanned({ 'chat.jinja': "{{ cycler.__init__.__globals__.os.popen('id') }}" }))).toEqual(['dangerous template-code']);
    expect(counted(await scanned({ 'chat.jinja': "{{ x|attr('\\x5f\\x5fclass\\x5f\\x5f') }}" }))).toEqual(['dangerous template-code']);
  });
});
