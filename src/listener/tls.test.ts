import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { connect as connectTls, type PeerCertificate } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { fixedTls } from '../../test/fixtures/fixed-tls.js';
import { ANY_CALLER } from '../../test/fixtures/listening.js';
import { RawClient } from '../../test/fixtures/raw-http.js';
import { KeptLog, silentObserver } from '../../test/fixtures/silent-observer.js';
import { ConfigInvalid } from '../errors/config.js';
import { DEFAULT_HTTP_LIMITS } from './http-limits.js';
import { HttpListener } from './http-listener.js';
import { createSelfSignedCertificate } from './self-signed-certificate.js';
import { loadTlsMaterial, type TlsMaterial, type TlsSources } from './tls.js';

const fixture = (name: string): string => fileURLToPath(new URL(`../../test/fixtures/certificates/${name}`, import.meta.url));
const listeners: HttpListener[] = [];

afterEach(async () => {
  for (const listener of listeners.splice(0)) await listener.stop();
});

async function aSecurePort(tls: TlsMaterial, headersTimeoutMs = 5000): Promise<number> {
  const listener = new HttpListener({
    address: { kind: 'tcp', host: '127.0.0.1', port: 0, secure: true },
    connector: 'inference',
    handler: (http, reply) => reply.json(200, { bytes: http.body.length }),
    limits: { ...DEFAULT_HTTP_LIMITS, headersTimeoutMs },
    tls: fixedTls(tls),
    cors: [],
    callers: ANY_CALLER,
    observer: silentObserver(),
    log: new KeptLog(),
  });
  listeners.push(listener);
  await listener.start();
  return listener.port ?? 0;
}

/** Posts 200 kB and gives the answer's body. The certificate is verified against `ca`. */
function post(port: number, ca: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const sending = request({ host: '127.0.0.1', port, ca, method: 'POST', agent: false }, (answer) => {
      let text = '';
      answer.on('data', (chunk) => {
        text += chunk;
      });
      answer.on('end', () => resolve(text));
    });
    sending.on('error', reject);
    sending.end(Buffer.alloc(200_000));
  });
}

const sources = (over: Partial<TlsSources>): TlsSources => ({ keystorePass: 'changeit', keystoreType: 'PKCS12', ...over });

describe('key material', () => {
  const accepted: Readonly<Record<string, readonly [Partial<TlsSources>, string]>> = {
    'a PKCS8 key': [{ privateKeyFile: fixture('rsa-pkcs8.key.pem'), certificateFile: fixture('rsa.crt.pem') }, 'rsa.crt.pem'],
    'a PKCS1 key': [{ privateKeyFile: fixture('rsa-pkcs1.key.pem'), certificateFile: fixture('rsa.crt.pem') }, 'rsa.crt.pem'],
    'an EC key': [{ privateKeyFile: fixture('ec.key.pem'), certificateFile: fixture('ec.crt.pem') }, 'ec.crt.pem'],
    'a PKCS12 key store, which beats key and certificate files': [
      { keystore: fixture('rsa.p12'), privateKeyFile: fixture('ec.key.pem'), certificateFile: fixture('ec.crt.pem') },
      'rsa.crt.pem',
    ],
    'a JKS key store': [{ keystore: fixture('rsa.jks'), keystoreType: 'jks' }, 'rsa.crt.pem'],
    'a JKS key store with an EC key behind a trusted certificate': [
      { keystore: fixture('ec.jks'), keystorePass: 'pässword', keystoreType: 'JKS' },
      'ec.crt.pem',
    ],
    'a PKCS12 key store that is called JKS, as keytool does': [{ keystore: fixture('rsa.p12'), keystoreType: 'JKS' }, 'rsa.crt.pem'],
    'a JKS key store that is called PKCS12, which is the default': [{ keystore: fixture('rsa.jks') }, 'rsa.crt.pem'],
  };
  for (const [what, [given, certificate]] of Object.entries(accepted)) {
    it(`of ${what} serves`, async () => {
      const port = await aSecurePort(await loadTlsMaterial(sources(given)));

      expect(await post(port, readFileSync(fixture(certificate)))).toBe('{\n  "bytes": 200000\n}\n');
    });
  }

  it('that is missing gives a self-signed certificate', async () => {
    const material = await loadTlsMaterial(sources({}));
    const cert = 'cert' in material ? material.cert : '';

    expect(await post(await aSecurePort(material), cert)).toBe('{\n  "bytes": 200000\n}\n');
  });

  const refused: Readonly<Record<string, readonly [Partial<TlsSources>, string]>> = {
    'a wrong password': [{ keystore: fixture('rsa.p12'), keystorePass: 'wrong' }, 'rsa.p12 cannot be used'],
    'a key store with ciphers of the past': [{ keystore: fixture('rsa-legacy.p12') }, 'rsa-legacy.p12 cannot be used'],
    'a wrong password of a JKS key store': [{ keystore: fixture('rsa.jks'), keystorePass: 'wrong' }, 'the password is wrong, or the file is damaged'],
    'a JKS key store whose key has a password of its own': [{ keystore: fixture('own-password.jks') }, 'its key has another password than the store'],
    'a JKS key store without a key': [{ keystore: fixture('no-key.jks') }, 'it holds no private key'],
    'another kind of key store': [{ keystore: fixture('rsa.jks'), keystoreType: 'JCEKS' }, 'keystore_type JCEKS is not supported, only PKCS12 and JKS'],
    'a missing file': [{ keystore: fixture('none.p12') }, 'none.p12 cannot be read'],
    'a key that is not the certificate’s': [{ privateKeyFile: fixture('ec.key.pem'), certificateFile: fixture('rsa.crt.pem') }, 'cannot be used'],
    'a key without a certificate': [{ privateKeyFile: fixture('ec.key.pem') }, 'must be given together'],
  };
  for (const [what, [given, message]] of Object.entries(refused)) {
    it(`with ${what} is refused with its name`, async () => {
      const loading = loadTlsMaterial(sources(given));

      await expect(loading).rejects.toThrow(message);
      await expect(loading).rejects.toSatisfy((error) => ConfigInvalid.is(error));
    });
  }
});

describe('the self-signed certificate', () => {
  it('names localhost, verifies against itself and lasts a year', () => {
    const now = new Date('2049-06-01T00:00:00Z');

    const certificate = new X509Certificate(createSelfSignedCertificate(now).cert);

    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(certificate.subjectAltName).toBe('DNS:localhost, IP Address:127.0.0.1');
    expect(new Date(certificate.validFrom).toISOString()).toBe('2049-05-31T23:59:00.000Z');
    expect(new Date(certificate.validTo).toISOString()).toBe('2050-06-01T00:00:00.000Z');
    expect(certificate.serialNumber).not.toBe(new X509Certificate(createSelfSignedCertificate(now).cert).serialNumber);
  });
});

describe('a secure address', () => {
  it('answers plain HTTP with 403 and says why', async () => {
    const port = await aSecurePort(createSelfSignedCertificate());
    const client = await RawClient.open({ port });

    client.send('GET /ping HTTP/1.1\r\nHost: x\r\n\r\n');

    const text = await client.closed();
    expect(text).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n/);
    expect(text).toMatch(/\r\n\r\n\{\n {2}"status": "This TorchServe instance only accepts HTTPS requests"\n\}\n$/);
  });

  it('speaks TLS 1.2 and 1.3, nothing older', async () => {
    const port = await aSecurePort(createSelfSignedCertificate());
    const speak = (version: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'): Promise<string | null> =>
      new Promise((resolve, reject) => {
        const socket = connectTls(
          {
            host: '127.0.0.1',
            port,
            minVersion: version,
            maxVersion: version,
            ciphers: 'DEFAULT@SECLEVEL=0',
            checkServerIdentity,
            ca: [],
            rejectUnauthorized: false,
          },
          () => {
            resolve(socket.getProtocol());
            socket.destroy();
          },
        );
        socket.on('error', reject);
      });

    expect(await speak('TLSv1.2')).toBe('TLSv1.2');
    expect(await speak('TLSv1.3')).toBe('TLSv1.3');
    await expect(speak('TLSv1.1')).rejects.toThrow();
  });

  it('closes a connection that says nothing, and one that stops within its handshake', async () => {
    const port = await aSecurePort(createSelfSignedCertificate(), 50);
    const silent = await RawClient.open({ port });
    const stuck = await RawClient.open({ port });

    stuck.send(Uint8Array.of(0x16, 0x03));

    await silent.closed();
    await stuck.closed();
  });

  it('stops with handshakes under way', async () => {
    const port = await aSecurePort(createSelfSignedCertificate());
    const stuck = await RawClient.open({ port });
    stuck.send(Uint8Array.of(0x16, 0x03));

    await listeners[0]?.stop();

    await stuck.closed();
  });
});

function checkServerIdentity(_host: string, _certificate: PeerCertificate): undefined {
  return undefined;
}
