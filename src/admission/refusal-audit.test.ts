import { expect, it } from 'vitest';
import { TokenRefused } from '../errors/admission.js';
import type { AuditEvent } from './audit.js';
import { RefusalAudit } from './refusal-audit.js';
import type { TokenRefusal } from './token-gate.js';

const aRefusal = (peer: string, fault: TokenRefusal['fault'] = 'wrong'): TokenRefusal => ({
  fault,
  error: TokenRefused({}),
  scope: 'infer',
  id: 'r',
  peer,
  principal: undefined,
});

it('of a flood the first refusals of each source and minute are told one by one, the rest as numbers, and none is lost', () => {
  let nowMs = 0;
  const lines: AuditEvent[] = [];
  const refusals = new RefusalAudit(
    (event) => void lines.push(event),
    () => nowMs,
  );

  for (let i = 0; i < 1000; i++) refusals.refused(aRefusal(`/10.0.0.1:${i}`));
  refusals.refused(aRefusal('/10.0.0.2:1', 'missing'));
  expect(lines.map(({ from, why }) => `${from} ${why}`)).toEqual([...[0, 1, 2, 3, 4].map((port) => `/10.0.0.1:${port} wrong`), '/10.0.0.2:1 missing']);
  nowMs += 60_000;
  refusals.refused(aRefusal('/10.0.0.1:1'));

  expect(lines.slice(6)).toEqual([
    { who: '', tenant: '', from: '', request: '', verb: 'authorize', subject: '', result: 'TOKEN_REFUSED', why: 'wrong', count: 995 },
    expect.objectContaining({ from: '/10.0.0.1:1' }),
  ]);
});

it('many sources together fill no more than two hundred lines of a minute', () => {
  const lines: AuditEvent[] = [];
  const refusals = new RefusalAudit(
    (event) => void lines.push(event),
    () => 0,
  );

  for (let i = 0; i < 5000; i++) refusals.refused(aRefusal(`/10.0.${i >> 8}.${i & 255}:1`));
  refusals.flush();

  expect(lines.length).toBe(201);
  expect(lines.at(-1)?.count).toBe(4800);
});
