import { describe, expect, it } from 'vitest';
import { NativeGate } from './native-gate.js';

describe('NativeGate', () => {
  it('a thread outside native code may be ended, and does not get in any more', () => {
    const gate = new NativeGate();
    gate.enter();
    gate.leave();

    expect(gate.close()).toBe('may-end');
    expect(gate.enter()).toBe(false);
    expect(gate.close()).toBe('may-end');
  });

  it('a thread inside native code must not be ended, and learns of its fate when it comes out', () => {
    const owner = new NativeGate();
    const thread = new NativeGate(owner.memory);
    thread.enter();

    expect(owner.close()).toBe('ends-itself');
    expect(owner.close()).toBe('ends-itself');
    expect(thread.leave()).toBe(false);
  });
});
