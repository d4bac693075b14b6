import { expect, it } from 'vitest';
import { flagSettings } from './server-flags.js';

it('flags become keys of config.properties, and what is not given says nothing', () => {
  const settings = flagSettings({ modelStore: 's', models: ['a.mar', 'b=c.mar'], disableTokenAuth: true, set: ['keystore_pass=a=b', 'debug'] });

  expect([...settings]).toEqual([
    ['keystore_pass', { text: 'a=b', where: '--set' }],
    ['debug', { text: 'true', where: '--set' }],
    ['model_store', { text: 's', where: '--model-store' }],
    ['load_models', { text: 'a.mar,b=c.mar', where: '--models' }],
    ['disable_token_authorization', { text: 'true', where: '--disable-token-auth' }],
  ]);
});

it('a flag of its own beats --set', () => {
  expect(flagSettings({ modelStore: 's', set: ['model_store=t'] }).get('model_store')?.text).toBe('s');
});
