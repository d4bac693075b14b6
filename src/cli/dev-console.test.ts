import { expect, it } from 'vitest';
import { DevConsole } from './dev-console.js';

const AT = '2026-11-26T22:00:00,000';

function shown(...lines: readonly string[]): readonly string[] {
  const printed: string[] = [];
  new DevConsole((line) => printed.push(line)).write(`${lines.join('\n')}\n`);
  return printed;
}

it('shows what the model says, and not what every worker says', () => {
  const model = (message: string) => `${AT} [INFO ] W-9000-points_1.0-stdout MODEL_LOG - ${message}`;

  expect(shown(model('[PID]12'), model('Torch worker started.'), model('Python runtime: 3.11.7'), model('model_name: points, batchSize: 1'))).toEqual([]);
  expect(shown(model('hello - there'))).toEqual(['  | hello - there']);
});

it('shows each request in a line', () => {
  expect(shown(`${AT} [INFO ] http ACCESS_LOG - /127.0.0.1:5 "POST /predictions/points HTTP/1.1" 200 12`)).toEqual(['POST /predictions/points 200 12 ms']);
});

it('shows what is wrong, with its stack, and leaves out the rest', () => {
  const printed = shown(
    `${AT} [INFO ] main sconce.registry - Model points loaded.`,
    `${AT} [ERROR] main sconce.api - request x met an internal error`,
    '    at somewhere',
    `${AT} [ERROR] main sconce.workers - W-9000-points_1.0 could not load: ValueError: x`,
    'Traceback (most recent call last):',
    `${AT} [DEBUG] main sconce.workers - W-9000-points_1.0 State change`,
  );

  expect(printed).toEqual(['sconce: request x met an internal error', '    at somewhere']);
});
