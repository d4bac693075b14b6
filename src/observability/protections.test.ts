import { describe, expect, it } from 'vitest';
import { ProtectionMissing } from '../errors/security.js';
import type { Log } from './observer.js';
import { Protections, type SecurityLevel } from './protections.js';

function atLevel(level: SecurityLevel) {
  const lines: string[] = [];
  const say = (kind: string) => (line: string) => void lines.push(`${kind} ${line}`);
  const log: Log = { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error'), named: () => log };
  return { protections: new Protections(level, log), lines };
}

const HELD = { name: 'tokens', holds: true, says: 'every call needs one' };
const MISSING = { name: 'sandbox', holds: false, says: 'the kernel has no Landlock' };

describe('a protection that is missing', () => {
  it('is warned of at the level standard', () => {
    const { protections, lines } = atLevel('standard');

    protections.tell(HELD);
    protections.tell(MISSING);

    expect(lines).toEqual(['info tokens: every call needs one', 'warn sandbox: the kernel has no Landlock']);
  });

  it('is refused at the level strict, by its name', () => {
    const { protections } = atLevel('strict');

    protections.tell(HELD);

    expect(() => protections.tell(MISSING)).toThrow(expect.toSatisfy(ProtectionMissing.is));
    expect(() => protections.tell(MISSING)).toThrow('sandbox does not hold: the kernel has no Landlock');
  });
});

it('the latest word on a protection counts, in the order of the first ones', () => {
  const { protections } = atLevel('standard');

  protections.tell(MISSING);
  protections.tell(HELD);
  protections.tell({ ...MISSING, holds: true });

  expect(protections.list()).toEqual([{ ...MISSING, holds: true }, HELD]);
});
