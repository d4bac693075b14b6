import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Ask, type CampaignPlan, campaign } from './campaign.js';
import { type Family, type FuzzCase, jsonCase } from './fuzz-case.js';
import { boundaryCases, byteCases } from './hostile-cases.js';
import { type Outcome, troubleOf } from './oracle.js';
import { promptCases } from './prompt-cases.js';
import { htmlReport, jsonReport } from './report.js';
import { schemaValues } from './schema-values.js';
import { tensorRequests } from './tensor-values.js';

const answered = (status: number, body = '', reason?: string): Outcome => ({ kind: 'answered', status, reason, body, ms: 1 });
const textOf = ({ body }: FuzzCase) => Buffer.from(body).toString();

function plan(families: readonly (readonly [Family, fc.Arbitrary<FuzzCase>])[], over: Partial<CampaignPlan> = {}): CampaignPlan {
  return { seed: 7, maxRequests: 400, maxMs: 60_000, isGuarded: false, families: new Map(families), ...over };
}

const numbers = fc.array(fc.integer({ min: -100, max: 100 }), { maxLength: 10 }).map((value) => jsonCase('schema', value));
/** Dies of three numbers of which one is below -20, fails for a number above 50. */
const fragile: Ask = async (input) => {
  const values: readonly number[] = JSON.parse(textOf(input));
  if (values.length >= 3 && values.some((value) => value < -20)) return answered(500, '{"message": "Worker died."}', 'worker_lost');
  if (values.some((value) => value > 50)) return answered(503, `{"message": "value ${values[0]}"}`, 'handler_fault');
  return answered(200, '[1]');
};

describe('a campaign', () => {
  it('finds each cause once, with the smallest input that has it', async () => {
    const { findings } = await campaign(plan([['schema', numbers]], { maxRequests: 2000 }), fragile);

    expect(findings.map(({ verdict, input }) => [verdict, JSON.parse(textOf(input)).sort((a: number, b: number) => a - b)]).sort()).toEqual([
      ['crash', [-21, 0, 0]],
      ['handler fault', [51]],
    ]);
  });

  it('makes the same requests for the same seed, and others for another', async () => {
    const asked = async (seed: number): Promise<readonly string[]> => {
      const texts: string[] = [];
      const keep: Ask = async (input) => {
        texts.push(textOf(input));
        return answered(200);
      };
      await campaign(
        plan(
          [
            ['boundary', boundaryCases({ a: [1] })],
            ['bytes', byteCases()],
            ['prompts', promptCases(undefined)],
          ],
          { seed, maxRequests: 90 },
        ),
        keep,
      );
      return texts;
    };

    const [one, again, other] = [await asked(1), await asked(1), await asked(2)];

    expect(again).toEqual(one);
    expect(other).not.toEqual(one);
    expect(one).toHaveLength(90);
  });

  it('asks no more often than it may, finding or not', async () => {
    let requests = 0;
    const ask: Ask = async (input) => {
      requests += 1;
      return fragile(input);
    };

    const { cutShort, figures } = await campaign(plan([['schema', numbers]], { maxRequests: 60 }), ask);

    expect([requests, figures.get('schema')?.requests, cutShort]).toEqual([60, 60, 'requests']);
  });

  it('ends when its time is over', async () => {
    const { cutShort, figures } = await campaign(plan([['schema', numbers]], { maxMs: -1 }), fragile);

    expect([cutShort, figures.get('schema')?.requests]).toEqual(['time', 0]);
  });
});

describe('what is wrong with an outcome', () => {
  const input = jsonCase('prompts', {});

  it.each([
    [answered(200, '{"a": 1}'), false, undefined],
    [answered(400, '{}'), false, undefined],
    [answered(422, '{}', 'input_refused'), true, undefined],
    [answered(503, '{}', 'queue_full'), false, undefined],
    [answered(200, '[NaN]'), false, 'non-finite output'],
    [answered(200, '["NaN"]'), false, undefined],
    [answered(500, '{"message": "Worker died."}', 'handler_timeout'), false, 'time-out'],
    [answered(507, '{}', 'out_of_memory'), false, 'out of memory'],
    [answered(500, 'x'), false, 'server error'],
    [answered(200, '{"a": 1}'), true, 'guard bypass'],
    [{ kind: 'silent', why: 'connection', ms: 1 } as const, false, 'no answer'],
  ])('%j, guarded %s: %s', (outcome, isGuarded, verdict) => {
    expect(troubleOf(input, outcome, isGuarded)?.verdict).toBe(verdict);
  });
});

describe('inputs', () => {
  it('follow a JSON Schema with references, choices and bounds', () => {
    const schema = {
      $defs: { leaf: { type: 'integer', minimum: 3, maximum: 5 } },
      type: 'object',
      required: ['n'],
      properties: {
        n: { $ref: '#/$defs/leaf' },
        kind: { enum: ['a', 'b'] },
        list: { type: 'array', items: { anyOf: [{ const: 1 }, { type: 'null' }] }, maxItems: 2 },
      },
    };

    fc.assert(
      fc.property(schemaValues(schema), (value) => {
        const { n, kind, list } = value as { n: number; kind?: string; list?: readonly unknown[] };
        return (
          n >= 3 && n <= 5 && [undefined, 'a', 'b'].includes(kind) && (list ?? []).length <= 2 && (list ?? []).every((item) => item === 1 || item === null)
        );
      }),
    );
  });

  it('as tensors have as many values as their shape says, of their datatype', () => {
    fc.assert(
      fc.property(tensorRequests([{ name: 'x', datatype: 'UINT8', shape: [-1, 2] }]), (request) => {
        const { inputs } = request as { inputs: readonly { shape: readonly number[]; data: readonly number[] }[] };
        return inputs.every(({ shape, data }) => data.length === shape.reduce((a, b) => a * b, 1) && data.every((value) => value >= 0 && value <= 255));
      }),
    );
  });

  it('write NaN and the infinities as Python reads them, and only these', () => {
    expect(textOf(jsonCase('tensors', [Number.NaN, -Infinity, 'NaN', -0]))).toBe('[NaN,-Infinity,"NaN",0]');
  });
});

it('the report is one page in which nothing of a model or an input is markup', async () => {
  const ask: Ask = async () => answered(503, '<script>alert(1)</script>', 'handler_fault');
  const result = await campaign(plan([['schema', fc.constant(jsonCase('schema', { a: '<img src=x>' }))]], { maxRequests: 3 }), ask);
  const facts = { model: '<b>m</b>', seed: 7, startedAt: 'now', durationMs: 1, isGuarded: false, memoryBytes: [0, 2 ** 20] as const, crashes: 0 };

  const page = htmlReport(facts, result);

  expect(page).not.toMatch(/<(script|img|b)\b/);
  expect(page).toContain('&#60;img src=x&#62;');
  const [finding] = JSON.parse(jsonReport(facts, result)).findings;
  expect(Buffer.from(finding.inputBase64, 'base64').toString()).toBe('{"a":"<img src=x>"}');
});
