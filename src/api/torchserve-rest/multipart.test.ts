import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BadRequest, FormMalformed } from '../../errors/admission.js';
import { multipartBoundary, parseMultipart } from './multipart.js';

const parse = (text: string, boundary = 'b') =>
  parseMultipart(Buffer.from(text, 'latin1'), boundary).map(({ name, contentType, value }) => [name, contentType, Buffer.from(value).toString('latin1')]);

const part = (headers: string, content: string): string => `--b\r\n${headers}\r\n\r\n${content}\r\n`;

describe('multipartBoundary', () => {
  it('reads the boundary of form data, plain or quoted, and of nothing else', () => {
    expect(multipartBoundary('multipart/form-data; boundary=abc')).toBe('abc');
    expect(multipartBoundary('Multipart/Form-Data; charset=utf-8; Boundary="a b;c"')).toBe('a b;c');
    expect(multipartBoundary('multipart/form-data')).toBeUndefined();
    expect(multipartBoundary('multipart/mixed; boundary=abc')).toBeUndefined();
  });
});

describe('parseMultipart', () => {
  it('gives one input per part in order, equal names too', () => {
    const text = `${part('Content-Disposition: form-data; name="a"', '1')}${part('content-disposition: form-data; name=b', '2')}${part('Content-Disposition: form-data; name="a"', '3')}--b--\r\n`;

    expect(parse(text)).toEqual([
      ['a', '', '1'],
      ['b', '', '2'],
      ['a', '', '3'],
    ]);
  });

  it('gives a part with a file name its media type, a part without none', () => {
    const text = [
      part('Content-Disposition: form-data; name="png"; filename="k.png"\r\nContent-Type: Image/PNG; q=1', 'x'),
      part('Content-Disposition: form-data; name="plain"; filename="k"', 'x'),
      part('Content-Disposition: form-data; name="star"; filename*=UTF-8\'\'k', 'x'),
      part('Content-Disposition: form-data; name="field"\r\nContent-Type: application/json; charset=utf-16', 'x'),
      '--b--',
    ].join('');

    expect(parse(text)).toEqual([
      ['png', 'image/png', 'x'],
      ['plain', 'application/octet-stream', 'x'],
      ['star', 'application/octet-stream', 'x'],
      ['field', '', 'x'],
    ]);
  });

  it('keeps any bytes as they are, text that begins like the delimiter too', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 5 }), fc.boolean(), (contents, asFile) => {
        const headers = `Content-Disposition: form-data; name="n"${asFile ? '; filename="f"' : ''}\r\nContent-Transfer-Encoding: binary`;
        const body = Buffer.concat([
          ...contents.map((content) => Buffer.concat([Buffer.from(`--b0\r\n${headers}\r\n\r\n`), content, Buffer.from('\r\n')])),
          Buffer.from('--b0--\r\n'),
        ]);
        expect(parseMultipart(body, 'b0').map(({ value }) => [...value])).toEqual(contents.map((content) => [...content]));
      }),
      { numRuns: 200 },
    );
    const tricky = '\r\n--bx\r\n--b--x\r\n --b\r\n\n--';
    expect(parse(`${part('Content-Disposition: form-data; name="n"', tricky)}--b--`)).toEqual([['n', '', tricky]]);
  });

  it('holds all 256 byte values', () => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    const body = Buffer.concat([Buffer.from('--b\r\nContent-Disposition: form-data; name="n"\r\n\r\n'), all, Buffer.from('\r\n--b--')]);

    expect(Buffer.from(parseMultipart(body, 'b')[0]?.value ?? []).equals(all)).toBe(true);
  });

  it('takes a preamble, bare line feeds, padding after the delimiter, empty content and an end without dashes', () => {
    expect(parse('ignored\r\n--b \t\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n--b--\r\nepilogue')).toEqual([['a', '', '']]);
    expect(parse('--b\nContent-Disposition: form-data; name="a"\n\nx\n--b\r\n')).toEqual([['a', '', 'x']]);
    expect(parse('--b--\r\n')).toEqual([]);
  });

  it('reads names with quotes, semicolons and letters beyond ASCII, and is not led astray by a file name', () => {
    const header = Buffer.from('Content-Disposition: form-data; filename="a; name=evil"; name="q\\"; ü"').toString('latin1');

    expect(parse(`${part(header, 'x')}--b--`)).toEqual([['q"; ü', 'application/octet-stream', 'x']]);
  });

  it('takes an opening delimiter and the closing one for a form of no parts', () => {
    expect(parse('--b\r\n--b--\r\n')).toEqual([]);
    expect(parse(`--b\r\n${part('Content-Disposition: form-data; name="a"', '1')}--b--`)).toEqual([['a', '', '1']]);
  });

  it('throws FormMalformed for what is no form, for a part without a name and for a form cut short', () => {
    const good = part('Content-Disposition: form-data; name="a"', 'content');
    for (const text of ['', 'hello', '--bb\r\n', `${part('Content-Type: text/plain', 'x')}--b--`, good.slice(0, -2), good.slice(0, 30), '--b\r\nno end']) {
      expect(() => parse(text), JSON.stringify(text)).toThrow(expect.toSatisfy((error: unknown) => FormMalformed.is(error)));
    }
  });

  it('throws BadRequest past a limit', () => {
    const isBadRequest = expect.toSatisfy((error: unknown) => BadRequest.is(error));
    const one = part('Content-Disposition: form-data; name="a"', '');

    expect(parse(`${one.repeat(1000)}--b--`)).toHaveLength(1000);
    expect(() => parse(`${one.repeat(1001)}--b--`)).toThrow(isBadRequest);
    expect(() => parse(`--b\r\nX: ${'a'.repeat(100_000)}\r\n\r\nx\r\n--b--`)).toThrow(isBadRequest);
    expect(() => parse(`--b\r\n${'X: a\r\n'.repeat(10_000)}\r\nx\r\n--b--`)).toThrow(isBadRequest);
  });
});
