import { describe, expect, it } from 'vitest';
import { parseWorkflowSpec } from './workflow-spec.js';

const ONE_MODEL = 'models:\n  a:\n    url: a.mar\n';

describe('a specification', () => {
  it('says of each node how it is served; what is said for all counts for the models after it', () => {
    const { nodes, defaults } = parseWorkflowSpec(`
models:
  first:
    url: first.mar
  min-workers: 2
  max-workers: 3
  batch-size: 4
  max-batch-delay: 5
  retry-attempts: 6
  timeout-ms: 7
  second:
    url: second.mar
    batch-size: 8
    unknown: is no matter
dag:
  pre: [first, second]
`);

    expect(defaults).toEqual({ minWorkers: 2, maxWorkers: 3, batchSize: 4, maxBatchDelayMs: 5, retryAttempts: 6, timeoutMs: 7 });
    expect(nodes.get('first')).toMatchObject({
      url: 'first.mar',
      settings: { maxWorkers: 1, batchSize: 1, maxBatchDelayMs: 50, retryAttempts: 1, timeoutMs: 10_000 },
    });
    expect(nodes.get('second')).toMatchObject({
      url: 'second.mar',
      settings: { maxWorkers: 3, batchSize: 8, maxBatchDelayMs: 5, retryAttempts: 6, timeoutMs: 7 },
    });
    expect(nodes.get('pre')).toEqual({
      name: 'pre',
      url: undefined,
      settings: { maxWorkers: 1, batchSize: 1, maxBatchDelayMs: 0, retryAttempts: 6, timeoutMs: 7 },
    });
  });

  it('needs no models where functions are enough, and leaves out models that the graph does not name', () => {
    expect([...parseWorkflowSpec('dag:\n  pre: [post]\n').nodes.keys()]).toEqual(['pre', 'post']);
    expect([...parseWorkflowSpec(`${ONE_MODEL}  b: {url: b.mar}\ndag: {a: }\n`).nodes.keys()]).toEqual(['a']);
  });

  it('WF2 may call nodes as JavaScript calls things', () => {
    const spec = parseWorkflowSpec('models:\n  __proto__: {url: a.mar}\n  constructor: {url: b.mar}\ndag:\n  __proto__: [constructor]\n');

    expect([...spec.nodes.values()].map(({ name, url }) => [name, url])).toEqual([
      ['__proto__', 'a.mar'],
      ['constructor', 'b.mar'],
    ]);
    expect(Object.hasOwn(Object.prototype, 'url')).toBe(false);
  });

  it.each([
    ['is empty', '', 'must be a mapping'],
    ['is a list', '- 1\n', 'must be a mapping'],
    ['is no YAML', 'models: [1,2\n', 'Failed to parse yaml. ('],
    ['has a key twice', 'models: {a: {url: a.mar}, a: {url: b.mar}}\ndag: {a: []}\n', 'Failed to parse yaml. (The key "a" stands twice'],
    ['asks for a Java object', '!!javax.script.ScriptEngineManager [1]\n', 'Failed to parse yaml. (Unresolved tag'],
    ['asks for a Python call', `models: {a: {url: !!python/object/apply:os.system [id]}}\ndag: {a: []}\n`, 'Failed to parse yaml. (Unresolved tag'],
    ['asks for another file', `${ONE_MODEL}dag: !include other.yaml\n`, 'Failed to parse yaml. (Unresolved tag'],
    ['has no dag', ONE_MODEL, 'has no dag'],
    ['has an empty dag', `${ONE_MODEL}dag: {}\n`, 'has no dag'],
    ['has models that are a list', 'models: [a]\ndag: {a: []}\n', 'models must be a mapping'],
    ['has a model that is a number', 'models: {frob: 3}\ndag: {frob: []}\n', 'models.frob must be a mapping with a url'],
    ['has a model without a url', 'models: {a: {min-workers: 1}}\ndag: {a: []}\n', 'models.a has no url'],
    ['leads on to a text', `${ONE_MODEL}dag: {a: b}\n`, 'dag.a must be a list'],
    ['has a node that is a number', `${ONE_MODEL}dag: {a: [1]}\n`, '"1" is no name for a node'],
    ['has a node that is a path', `${ONE_MODEL}dag: {a: [../x]}\n`, '"../x" is no name for a node'],
    ['has a node with a line end', `${ONE_MODEL}dag: {a: ["b\\nc"]}\n`, '"b\\nc" is no name for a node'],
    ['has a node without end', `${ONE_MODEL}dag: {a: [${'x'.repeat(2000)}]}\n`, 'is no name for a node'],
    ['has a node that is neither model nor function', `${ONE_MODEL}dag: {a: [no-model]}\n`, 'dag names no-model, which is neither'],
    ['has a function that Python keeps for itself', `${ONE_MODEL}dag: {a: [__import__]}\n`, 'dag names __import__, which is neither'],
    ['has workers in words', 'models: {max-workers: two}\ndag: {a: []}\n', 'models.max-workers must be a whole number from 1 to 1000.'],
    [
      'has too many workers',
      'models: {a: {url: a.mar, max-workers: 1000000000}}\ndag: {a: []}\n',
      'models.a.max-workers must be a whole number from 1 to 1000.',
    ],
    ['has a batch of less than one', 'models: {batch-size: -1}\ndag: {a: []}\n', 'models.batch-size must be'],
    ['has a delay beyond all', 'models: {max-batch-delay: 1e308}\ndag: {a: []}\n', 'models.max-batch-delay must be'],
    ['has a time-out of nothing', 'models: {timeout-ms: 0}\ndag: {a: []}\n', 'models.timeout-ms must be'],
    ['asks again without end', 'models: {retry-attempts: .inf}\ndag: {a: []}\n', 'models.retry-attempts must be a whole number from 0 to 100.'],
  ])('WF2 that %s is refused, and why', (_what, yaml, message) => {
    expect(() => parseWorkflowSpec(yaml)).toThrow(expect.objectContaining({ code: 'WORKFLOW_INVALID', message: expect.stringContaining(message) }));
  });

  it.each([
    ['in a line', Array.from({ length: 1000 }, (_, i) => `  n${i}: [n${i + 1}]`).join('\n')],
    ['side by side', `  n: [${Array.from({ length: 1000 }, (_, i) => `m${i}`).join(', ')}]`],
  ])('WF1 of more nodes than a machine has processes for is refused: %s', (_what, dag) => {
    expect(() => parseWorkflowSpec(`dag:\n${dag}\n`)).toThrow('The dag has more than 100 nodes.');
  });

  it('YM1 that multiplies by its aliases is refused before it is large', () => {
    const bomb = Array.from({ length: 9 }, (_, i) => `l${i + 1}: &l${i + 1} [${Array.from({ length: 9 }, () => (i === 0 ? 'x' : `*l${i}`)).join(', ')}]`).join(
      '\n',
    );

    expect(() => parseWorkflowSpec(`${bomb}\ndag: {a: *l9}\n`)).toThrow('Its aliases stand for more than 1000 copies');
  });
});
