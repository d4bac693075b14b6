import type { Comparison, ComparisonGroup } from '../comparison.js';
import type { Models } from '../models.js';
import type { Asked } from '../rest-ask.js';
import { asks, jsonBody, manages } from '../rest-ask.js';

const EVERY_BYTE = Uint8Array.from({ length: 256 }, (_, value) => value);

function posts(name: string, body: Asked['body'], type?: string, headers: Readonly<Record<string, string>> = {}): Comparison {
  return asks(name, {
    path: '/predictions/speaker',
    ...(body === undefined ? {} : { body }),
    headers: { ...(type === undefined ? {} : { 'Content-Type': type }), ...headers },
  });
}

/** A form as its bytes stand, so that they may be wrong. */
function postsForm(name: string, lines: readonly string[], type = 'multipart/form-data; boundary=b'): Comparison {
  return posts(name, lines.join('\r\n'), type);
}

/** What of a request's body and headers reaches a handler, in which type, and what is refused. */
export function bodies({ speaker }: Models): ComparisonGroup {
  return {
    name: 'rest-bodies',
    settings: {},
    store: [speaker],
    comparisons: [
      manages('a model is registered', 'POST', '/models?url=speaker.mar&initial_workers=1'),

      posts('no body', undefined),
      posts('every byte without a type', EVERY_BYTE),
      posts('bytes with a type', EVERY_BYTE, 'application/octet-stream'),
      posts('a picture’s type', EVERY_BYTE, 'image/png'),
      posts('text', 'grüße', 'text/plain'),
      posts('text of another kind', '<p>', 'text/html; charset=utf-8'),
      posts('text that is none', EVERY_BYTE, 'text/csv'),
      posts('XML, which is no text', '<a/>', 'application/xml'),
      posts('JSON', '{"a": [1, 2.5, null, "ü"]}', 'application/json'),
      posts('JSON in another case', '[1]', 'Application/JSON'),
      posts('JSON with parameters', '[1]', 'application/json; charset=utf-8'),
      posts('a number as JSON', '7', 'application/json'),
      posts('a word as JSON', '"seven"', 'application/json'),
      posts('broken JSON', '{"a"', 'application/json'),
      posts('no JSON', '', 'application/json'),
      posts('NaN as JSON', '[NaN]', 'application/json'),
      posts('a type that is none', 'x', 'nonsense'),
      posts('an empty type', 'x', ''),

      posts('a form', 'a=1&b=x+y&c=%C3%BC', 'application/x-www-form-urlencoded'),
      posts('a form with a name twice', 'a=1&a=2', 'application/x-www-form-urlencoded'),
      posts('a form without values', 'a&b=', 'application/x-www-form-urlencoded'),
      posts('a form without a name', 'a=1&=c', 'application/x-www-form-urlencoded'),
      posts('a form of JSON, as curl -d sends it', '{"a":1}', 'application/x-www-form-urlencoded'),
      posts('a form with a character set', 'a=1', 'application/x-www-form-urlencoded; charset=utf-8'),
      posts('an empty form', '', 'application/x-www-form-urlencoded'),
      posts('a form with broken percent in a value', 'b=1&a=xy%zz', 'application/x-www-form-urlencoded'),
      posts('a form with broken percent in a name', 'b=1&a%4=1', 'application/x-www-form-urlencoded'),
      posts('a form that ends within percent', 'a=x%4', 'application/x-www-form-urlencoded'),

      posts('parts with and without file names and types', {
        parts: {
          bytes: { content: EVERY_BYTE, fileName: 'a.bin', type: 'application/octet-stream' },
          json: { content: '{"n": 1}', fileName: 'a.json', type: 'application/json' },
          text: { content: 'hey', fileName: 'a.txt', type: 'text/plain' },
          untyped: { content: '[1]', fileName: 'a' },
          field: { content: '{"n": 1}', type: 'application/json' },
          bare: { content: 'grüße' },
          empty: { content: '' },
        },
      }),
      posts('a part whose file has a name of many letters', { parts: { a: { content: 'x', fileName: 'größe 1.txt', type: 'text/plain' } } }),
      postsForm('parts with one name', [
        '--b',
        'Content-Disposition: form-data; name="a"',
        '',
        '1',
        '--b',
        'Content-Disposition: form-data; name="a"',
        '',
        '2',
        '--b--',
        '',
      ]),
      postsForm('a form of no parts', ['--b--', '']),
      postsForm('a form of no parts, as some clients write it', ['--b', '--b--', '']),
      postsForm('a form with a part of nothing', ['--b', '', '--b--', '']),
      postsForm('a form without a boundary', ['--b', 'Content-Disposition: form-data; name="a"', '', '1', '--b--', ''], 'multipart/form-data'),
      postsForm('a form with another boundary', ['--c', 'Content-Disposition: form-data; name="a"', '', '1', '--c--', '']),
      postsForm('a part without a name', ['--b', 'Content-Disposition: form-data', '', '1', '--b--', '']),
      postsForm('a part without a disposition', ['--b', 'Content-Type: text/plain', '', '1', '--b--', '']),
      postsForm('a form that is cut off in a part', ['--b', 'Content-Disposition: form-data; name="a"', '', '1']),
      postsForm('a form with a preamble', ['before', '--b', 'Content-Disposition: form-data; name="a"', '', '1', '--b--', 'after']),
      postsForm(
        'a form with a boundary in quotes',
        ['--b c', 'Content-Disposition: form-data; name="a"', '', '1', '--b c--', ''],
        'multipart/form-data; boundary="b c"',
      ),
      postsForm('mixed parts, which are no form', ['--b', 'Content-Disposition: form-data; name="a"', '', '1', '--b--', ''], 'multipart/mixed; boundary=b'),

      posts('headers in their own case', 'x', 'text/plain', { 'X-One': '1', 'x-tWo': '2', THREE: ' 3 ', 'x-request-id': 'mine' }),
      asks('what a handler raises', { path: '/predictions/speaker', ...jsonBody({ do: 'raise' }) }),
      asks('what a handler refuses', { path: '/predictions/speaker', ...jsonBody({ do: 'refuse', code: '422' }) }),
      asks('a status that a handler sets', { path: '/predictions/speaker', ...jsonBody({ do: 'status' }) }),

      manages('the model goes', 'DELETE', '/models/speaker'),
    ],
  };
}
