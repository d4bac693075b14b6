import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunningServer } from '../e2e/running-server.js';
import { expectRefused, HostileModel } from '../fixtures/hostile-model.js';

// The operator lets the model read the very folder that all of the server's own files lie in, each of which anybody may read: only the sandbox hides them.
const server = new RunningServer();
const hostile = new HostileModel(server, 'reader');
const SECRET = 'secret '.repeat(8);
const at = (...names: readonly string[]): string => join(server.folder, ...names);
const POLICY = 'signers:\n  - {name: one, key: keys/signer.pub}\n  - {name: two, certificates: {roots: [keys/root.pem], names: [x]}}\n';

const SECRETS: Readonly<Record<string, string>> = {
  'the key file': at('key_file.json'),
  'the configuration': at('config.properties'),
  'the named tokens': at('etc', 'tokens.json'),
  'the tenants': at('etc', 'tenants.yaml'),
  'the audit': at('var', 'who-did-what.log'),
  'where the audit ends': at('var', 'who-did-what.head'),
  'an older audit': at('var', 'who-did-what.000000000000007.log'),
  'the trust policy': at('etc', 'trust.yaml'),
  'a key of the trust policy': at('etc', 'keys', 'signer.pub'),
  'a root of the trust policy': at('etc', 'keys', 'root.pem'),
  'the authorities of clients': at('etc', 'clients.pem'),
  'the TLS key': at('etc', 'tls.key'),
  'the file behind the link to the TLS key': at('etc', 'behind-the-link.key'),
  'the TLS certificate': at('etc', 'tls.pem'),
  'the key store': at('etc', 'keys.p12'),
  'what the scan refused': at('quarantine', 'refused.mar'),
  'a log': at('logs', 'ts_log.log'),
  'the archive of another model': at('store', 'another.mar'),
};

beforeAll(async () => {
  for (const folder of ['etc/keys', 'var', 'quarantine', 'data', 'logs']) mkdirSync(at(folder), { recursive: true });
  writeFileSync(at('etc', 'behind-the-link.key'), SECRET);
  symlinkSync('behind-the-link.key', at('etc', 'tls.key'));
  for (const path of Object.values(SECRETS)) if (!/tls\.key$|tokens|who-did-what\.(log|head)|trust/.test(path)) writeFileSync(path, SECRET, { mode: 0o644 });
  writeFileSync(at('etc', 'trust.yaml'), POLICY);
  writeFileSync(at('etc', 'tenants.yaml'), `tenants: {acme: {models: [acme-*]}} # ${SECRET}\n`, { mode: 0o644 });
  writeFileSync(at('etc', 'tokens.json'), '{"version": 1, "tokens": []}', { mode: 0o600 });
  writeFileSync(at('data', 'labels.txt'), 'for the model');
  await server.start({
    config: {
      sconce_grants: JSON.stringify({ reader: { read: [server.folder] } }),
      sconce_tokens_file: 'etc/tokens.json',
      sconce_tenants: 'etc/tenants.yaml',
      sconce_audit_log: 'var/who-did-what.log',
      sconce_trust_policy: 'etc/trust.yaml',
      sconce_signatures: 'off',
      sconce_client_ca_file: 'etc/clients.pem',
      private_key_file: 'etc/tls.key',
      certificate_file: 'etc/tls.pem',
      keystore: 'etc/keys.p12',
      sconce_quarantine_dir: 'quarantine',
    },
  });
  await hostile.register();
});

afterAll(() => server.dispose());

describe('a hostile handler whose grant to read reaches too far', () => {
  it.each(Object.entries(SECRETS))('HH1 does not read %s', async (_, path) => {
    expectRefused(await hostile.tries({ do: 'read_files', paths: [path] }));
  });

  it('HH1 reads what it was granted beside them', async () => {
    const path = at('data', 'labels.txt');

    expect((await hostile.tries({ do: 'read_files', paths: [path] }))[path]).toContain('for the model');
  });

  it('HH1 reads no secret that was renewed while it ran, whatever was hidden before', async () => {
    for (const path of [at('key_file.json'), at('etc', 'tokens.json')]) {
      writeFileSync(`${path}.new`, SECRET, { mode: 0o600 });
      renameSync(`${path}.new`, path);

      expectRefused(await hostile.tries({ do: 'read_files', paths: [path] }));
    }
  });
});
