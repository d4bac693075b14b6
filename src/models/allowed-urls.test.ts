import { describe, expect, it } from 'vitest';
import { ConfigInvalid } from '../errors/config.js';
import { LocationRefused } from '../errors/model.js';
import { AllowedUrls } from './allowed-urls.js';

const models = new AllowedUrls(['https://models\\.example\\.com/.*', 'http://intern/a|http://intern/b', 'file:///srv/models/.*']);

function refusal(check: () => unknown): unknown {
  try {
    check();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('a URL', () => {
  it.each([
    'https://models.example.com/dogs.mar',
    'HTTPS://Models.Example.COM/dogs.mar',
    'https://models.example.com/dogs.mar?signature=a%2Fb',
    'http://intern/a',
    'http://intern/b',
    'file:///srv/models/dogs.mar',
  ])('%s that matches a pattern as a whole is allowed', (url) => {
    expect(models.check(url).href).toMatch(/^(https|http|file):/);
  });

  it.each([
    'https://evil.example.com/dogs.mar',
    'https://models.example.com.evil.org/dogs.mar',
    'https://evil.org/?https://models.example.com/dogs.mar',
    'https://models.example.com@evil.org/dogs.mar',
    'https://user:secret@models.example.com/dogs.mar',
    'http://models.example.com/dogs.mar',
    'http://intern/ab',
    'http://intern/a/../../etc',
    'file:///srv/models/%2e%2e/%2e%2e/etc/passwd',
    'file:///srv/models/..%2f..%2fetc/passwd',
    'file:///srv/models/a%5c..%5cb',
    'file://other/srv/models/dogs.mar',
    'file:///etc/passwd',
    'ftp://models.example.com/dogs.mar',
    'https://',
    'dogs.mar',
    '',
  ])('UR5 UR6 UR7 %j is refused in the words of TorchServe', (url) => {
    const error = refusal(() => models.check(url));

    expect(LocationRefused.is(error)).toBe(true);
    expect(error).toMatchObject({ message: `Given URL ${url} does not match any allowed URL(s)` });
  });

  it('is matched as what will be fetched, however it is written', () => {
    expect(models.check('HTTPS://models.EXAMPLE.com/@evil.org/dogs.mar').href).toBe('https://models.example.com/@evil.org/dogs.mar');
    expect(() => models.check('https://models.example.com\\@evil.org/dogs.mar')).toThrow('does not match');
  });

  it('of another scheme is refused even where every text is allowed', () => {
    expect(() => new AllowedUrls(['.*']).check('ftp://host/a.mar')).toThrow('does not match');
  });

  it('is told from a name in the store by its scheme', () => {
    expect(['http://a/b', 'HTTPS://a/b', 'file:///a'].map((url) => AllowedUrls.looksLikeUrl(url))).toEqual([true, true, true]);
    expect(['dogs.mar', '/store/dogs', 'ftp://a/b', 'c:/a', ''].map((url) => AllowedUrls.looksLikeUrl(url))).toEqual([false, false, false, false, false]);
  });
});

describe('allowed_urls', () => {
  it.each(['(', 'x'.repeat(1001)])('that no expression is made of stops the start', (pattern) => {
    expect(ConfigInvalid.is(refusal(() => new AllowedUrls([pattern])))).toBe(true);
  });

  it('that is empty allows nothing', () => {
    expect(() => new AllowedUrls([]).check('https://a/b')).toThrow('does not match');
  });
});

it('UR13 a repetition in a repetition takes linear time, and is refused where only a backtracking engine knows the expression', () => {
  expect(() => new AllowedUrls(['http://a/(a+)+b']).check(`http://a/${'a'.repeat(2000)}`)).toThrow('does not match');
  expect(() => new AllowedUrls(['http://a/(?!x)(a+)+b'])).toThrow(expect.toSatisfy(ConfigInvalid.is));
  expect(new AllowedUrls(['http://a/(?!x).*']).check('http://a/b').pathname).toBe('/b');
});

it('unless the operator set them, they hold for the operator alone', () => {
  const unset = new AllowedUrls(['file://.*|http(s)?://.*'], false);

  expect(unset.check('https://a/b.mar', 'operator').href).toBe('https://a/b.mar');
  expect(unset.check('s3://a/b.mar', 'operator').href).toBe('s3://a/b.mar');
  expect(() => unset.check('https://a/b.mar', 'api')).toThrow('allowed_urls is not set');
});
