import { describe, expect, it } from 'vitest';
import { parseTorchServeArguments } from './torchserve-arguments.js';

describe('the torchserve command line', () => {
  it('takes several models, values after = and unambiguous beginnings of flags', () => {
    const wish = parseTorchServeArguments([
      '--start',
      '--models',
      'a.mar',
      'b=c.mar',
      '--model-st',
      's',
      '--ts-config=c.properties',
      '--ncs',
      '--dt',
      '--enable',
    ]);

    expect(wish).toMatchObject({
      start: true,
      models: ['a.mar', 'b=c.mar'],
      modelStore: 's',
      tsConfig: 'c.properties',
      noConfigSnapshots: true,
      disableTokenAuth: true,
      enableModelApi: true,
    });
  });

  it.each([
    [['--start', '--stop'], 'argument --stop: not allowed with argument --start'],
    [['-v', '--start'], 'argument --start: not allowed with argument -v/--version'],
    [['--mode', 'x'], 'ambiguous option: --mode could match --model-store, --models'],
    [['--frobnicate'], 'unrecognized arguments: --frobnicate'],
    [['--model-store'], 'argument --model-store: expected one argument'],
    [['--models'], 'argument --models: expected at least one argument'],
    [['--start=yes'], "argument --start: ignored explicit argument 'yes'"],
  ])('%j is refused: %s', (args, message) => {
    expect(() => parseTorchServeArguments(args)).toThrow(message);
  });
});
