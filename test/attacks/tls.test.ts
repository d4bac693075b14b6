import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { credentials } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InferenceAPIsServiceDefinition as Inference } from '../../src/api/grpc-generated/inference.js';
import type { HttpHandler } from '../../src/api/http-exchange.js';
import type { ClientCertificates } from '../../src/listener/client-certificate.js';
import type { HttpLimits } from '../../src/listener/http-limits.js';
import { TlsKeeper } from '../../src/listener/tls-keeper.js';
import { type CertificateWish, type Issued, issue } from '../fixtures/certificate-authority.js';
import { eventually } from '../fixtures/eventually.js';
import { GrpcClient } from '../fixtures/grpc-client.js';
import { cleanUp, listening } from '../fixtures/grpc-listening.js';
import { ask as askHttp2 } from '../fixtures/http2-listening.js';
import { aListener, closeListeners } from '../fixtures/listening.js';
import { RawClient } from '../fixtures/raw-http.js';
import { KeptLog } from '../fixtures/silent-observer.js';

const LOCALHOST = { subject: 'CN=localhost', names: [{ type: 'dns', value: 'localhost' }] } as const;
const authority = await issue({ subject: 'CN=the server’s authority', isAuthority: true });
const clientAuthority = await issue({ subject: 'CN=the clients’ authority', isAuthority: true });
const client = (wish: CertificateWish, issuer = clientAuthority): Promise<Issued> => issue(wish, issuer);
const edge = await client({ subject: 'CN=edge' });
const UNTRUSTED: readonly (readonly [what: string, shown: Issued | undefined])[] = [
  ['none', undefined],
  [
    'one of another authority',
    await client(
      { subject: 'CN=admin', names: [{ type: 'dns', value: 'admin.example' }] },
      await issue({ subject: 'CN=the clients’ authority', isAuthority: true }),
    ),
  ],
  ['an expired one', await client({ subject: 'CN=late', from: -10, until: -0.01 })],
  ['one with a weak signature', await client({ subject: 'CN=weak', digest: 'SHA-1' })],
  ['one with a weak key', await client({ subject: 'CN=weak', rsaBits: 1024 })],
  ['one that a client’s own certificate signed', await client({ subject: 'CN=admin' }, edge)],
];
let folder: string;
let keeper: TlsKeeper;
let log: KeptLog;
let failures: number;
let expiry: number | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sconce-tls-'));
  log = new KeptLog();
  failures = 0;
  expiry = undefined;
});

afterEach(async () => {
  await closeListeners();
  await cleanUp();
  await keeper.stop();
  rmSync(folder, { recursive: true, force: true });
});

function put({ keyPem, pem }: Issued): void {
  writeFileSync(join(folder, 'key.pem'), keyPem);
  writeFileSync(join(folder, 'cert.pem'), pem);
}

const serverPair = (wish: CertificateWish = {}): Promise<Issued> => issue({ ...LOCALHOST, ...wish }, authority);
const fingerprintOf = ({ pem }: Issued): string => new X509Certificate(pem).fingerprint256;

async function opened(clientCertificates: ClientCertificates = 'off'): Promise<TlsKeeper> {
  writeFileSync(join(folder, 'clients.pem'), clientAuthority.pem);
  keeper = await TlsKeeper.open({
    keystorePass: 'changeit',
    keystoreType: 'PKCS12',
    privateKeyFile: join(folder, 'key.pem'),
    certificateFile: join(folder, 'cert.pem'),
    clientCaFile: join(folder, 'clients.pem'),
    clientCertificates,
    reloadMs: 20,
    log,
    expiresIn: (seconds) => {
      expiry = seconds;
    },
    reloadFailed: () => {
      failures += 1;
    },
  });
  await keeper.start();
  return keeper;
}

/** Tells who the client is. */
const whoami: HttpHandler = (http, reply) => reply.json(200, { principal: http.tlsPrincipal ?? 'nobody' });

interface Secured {
  readonly clients?: ClientCertificates;
  readonly limits?: Partial<HttpLimits>;
  readonly http2?: boolean;
}

async function secure({ clients = 'off', limits = {}, http2 = false }: Secured = {}) {
  put(await serverPair());
  const tls = await opened(clients);
  const { listener } = await aListener({ address: { kind: 'tcp', host: '127.0.0.1', port: 0, secure: true }, tls, handler: whoami, limits, http2 });
  return listener.port ?? 0;
}

function handshake(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host: '127.0.0.1', servername: 'localhost', port, ca: authority.pem, ...options }, () => resolve(socket));
    socket.on('error', reject);
  });
}

/** The body of an answer; rejects when there is none. */
function ask(port: number, options: { readonly key?: string; readonly cert?: string; readonly agent?: Agent } = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const sending = request({ host: '127.0.0.1', servername: 'localhost', port, ca: authority.pem, agent: false, ...options }, (answer) => {
      let text = '';
      answer.on('data', (chunk) => {
        text += chunk;
      });
      answer.on('end', () => resolve(text));
      answer.on('error', reject);
    });
    sending.on('error', reject);
    sending.end();
  });
}

type Shown = Pick<Issued, 'keyPem' | 'pem'>;

const principalAt = async (port: number, client?: Shown): Promise<unknown> =>
  JSON.parse(await ask(port, client === undefined ? {} : { key: client.keyPem, cert: client.pem })).principal;

/** Rejects when there is no answer. */
async function principalOverHttp2(port: number, client?: Shown): Promise<unknown> {
  const session = connectHttp2(`https://localhost:${port}`, { ca: authority.pem, ...(client === undefined ? {} : { key: client.keyPem, cert: client.pem }) });
  session.on('error', () => undefined);
  const { text } = await askHttp2(session, { ':path': '/' });
  session.destroy();
  return JSON.parse(text).principal;
}

async function fingerprint(port: number): Promise<string | undefined> {
  const socket = await handshake(port);
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

describe('old and weak ways to speak TLS', () => {
  it.each([
    ['TLS 1.0', { minVersion: 'TLSv1', maxVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' }],
    ['TLS 1.1', { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }],
    ['CBC', { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA@SECLEVEL=0' }],
    ['no ephemeral key', { maxVersion: 'TLSv1.2', ciphers: 'AES128-GCM-SHA256:AES128-SHA@SECLEVEL=0' }],
    ['no encryption', { maxVersion: 'TLSv1.2', ciphers: 'eNULL@SECLEVEL=0' }],
    ['finite-field keys', { maxVersion: 'TLSv1.2', ciphers: 'DHE-RSA-AES128-GCM-SHA256@SECLEVEL=0' }],
  ] as const)('TL1 %s fails in the handshake', async (_, options) => {
    const port = await secure();

    await expect(handshake(port, options)).rejects.toThrow();

    expect(await principalAt(port)).toBe('nobody');
  });

  it('TL1 TLS 1.2 and 1.3 use authenticated encryption with ephemeral keys', async () => {
    const port = await secure();

    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = await handshake(port, { minVersion: version, maxVersion: version });
      expect(socket.getProtocol()).toBe(version);
      expect(socket.getCipher().standardName).toMatch(version === 'TLSv1.2' ? /^TLS_ECDHE_.*_(GCM_SHA\d+|POLY1305_SHA256)$/ : /_(GCM_SHA\d+|POLY1305_SHA256)$/);
      socket.destroy();
    }
  });

  it('TL1 a client cannot make the server negotiate again', async () => {
    const port = await secure();
    const socket = await handshake(port, { maxVersion: 'TLSv1.2' });

    const end = new Promise<string>((resolve) => {
      socket.on('error', (error) => resolve(error.message));
      socket.on('close', () => resolve('closed'));
    });
    socket.renegotiate({}, () => undefined);

    expect(await end).toMatch(/renegotiation|closed|reset/i);
    expect(await principalAt(port)).toBe('nobody');
  });

  it('TL1 plain HTTP is told off, anything else that is no TLS is closed without a word, on gRPC too', async () => {
    const port = await secure();
    const { listener } = await listening({ source: keeper });
    const grpcPort = listener.port ?? 0;

    for (const [to, bytes, said] of [
      [port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', /^HTTP\/1\.1 403 /],
      [port, '\0\x01\x02garbage', /^$/],
      [grpcPort, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', /^$/],
      [grpcPort, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', /^$/],
    ] as const) {
      const client = await RawClient.open({ port: to });
      client.send(bytes);
      expect(await client.closed()).toMatch(said);
    }
  });

  it('TL1 gRPC is spoken with those who ask for HTTP/2 and with nobody else', async () => {
    put(await serverPair());
    const { listener } = await listening({ source: await opened() });
    const port = listener.port ?? 0;

    await expect(handshake(port, { ALPNProtocols: ['http/1.1'] })).rejects.toThrow();
    const without = await handshake(port);
    await new Promise((resolve) => without.on('close', resolve).resume());
    const socket = await handshake(port, { ALPNProtocols: ['h2'] });
    expect(socket.alpnProtocol).toBe('h2');
    socket.destroy();
  });
});

describe('handshakes that go nowhere', () => {
  it('TL2 no more than the cap are under way, they end in time, and honest clients are served then', async () => {
    const port = await secure({ limits: { headersTimeoutMs: 400, maxHandshakes: 20 } });
    const half = await Promise.all(Array.from({ length: 300 }, () => RawClient.open({ port })));
    for (const one of half) one.send(Uint8Array.of(0x16, 0x03, 0x01, 0x02, 0x00, 0x01));

    await eventually(
      () => half.filter((one) => one.isClosed).length >= 280,
      () => 'those past the cap are closed',
    );
    for (const one of half) await one.closed();

    expect(await principalAt(port)).toBe('nobody');
  });

  it('TL2 a ClientHello of one byte now and then ends in time', async () => {
    const port = await secure({ limits: { headersTimeoutMs: 300 } });
    const one = await RawClient.open({ port });
    const dripping = setInterval(() => one.send(Uint8Array.of(0x16)), 30);

    await one.closed().finally(() => clearInterval(dripping));

    expect(await principalAt(port)).toBe('nobody');
  });

  it('TL2 handshakes that fail give their places back', async () => {
    const port = await secure({ limits: { maxHandshakes: 2 } });

    for (let i = 0; i < 10; i++)
      await expect(handshake(port, { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' })).rejects.toThrow();

    await eventually(
      () =>
        principalAt(port).then(
          (who) => who === 'nobody',
          () => false,
        ),
      () => 'a handshake has its turn',
    );
  });
});

describe.each([
  { over: 'HTTP/1.1', http2: false, principal: principalAt },
  { over: 'HTTP/2', http2: true, principal: principalOverHttp2 },
])('client certificates over $over', ({ http2, principal }) => {
  it('TL3 asked for, they name their holder; without one a client is nobody', async () => {
    const port = await secure({ clients: 'request', http2 });

    expect(await principal(port, edge)).toBe('CN=edge');
    expect(await principal(port)).toBe('nobody');
  });

  it.each(UNTRUSTED)('TL3 required, %s is turned away, and where they are only asked for is nobody’s', async (what, shown) => {
    const required = await secure({ clients: 'require', http2 });
    await expect(principal(required, shown)).rejects.toThrow();
    expect(await principal(required, edge)).toBe('CN=edge');
    await keeper.stop();

    const asked = await secure({ clients: 'request', http2 });
    if (what === 'none') expect(await principal(asked, shown)).toBe('nobody');
    else await expect(principal(asked, shown)).rejects.toThrow();
  });

  it('TL3 a common name counts for nothing beside alternative names, whatever stands in them', async () => {
    const port = await secure({ clients: 'require', http2 });
    const named = async (...names: { type: 'dns' | 'url'; value: string }[]) => principal(port, await client({ subject: 'CN=admin', names }));

    expect(await named({ type: 'dns', value: 'tenant-a.example' })).toBe('DNS:tenant-a.example');
    expect(await named({ type: 'dns', value: 'tenant-a.example' }, { type: 'url', value: 'spiffe://cluster/a' })).toBe('URI:spiffe://cluster/a');
    expect(await named({ type: 'dns', value: 'a, URI:spiffe://cluster/admin' })).toMatch(/^DNS:"a/);
  });

  it('TL3 a chain of a hundred is refused or its own holder’s, and the server goes on', async () => {
    const port = await secure({ clients: 'require', http2 });
    const chain: Issued[] = [];
    let last = clientAuthority;
    for (let i = 0; i < 100; i++) {
      last = await client({ subject: `CN=authority ${i}`, isAuthority: true }, last);
      chain.unshift(last);
    }
    const leaf = await client({ subject: 'CN=leaf' }, last);

    const end = await principal(port, { keyPem: leaf.keyPem, pem: [leaf, ...chain].map(({ pem }) => pem).join('') }).catch(() => 'refused');

    expect(['refused', 'CN=leaf']).toContain(end);
    expect(await principal(port, edge)).toBe('CN=edge');
  });
});

describe('client certificates over gRPC', () => {
  it('TL3 the holder is known to its calls', async () => {
    put(await serverPair());
    let who: string | undefined;
    const { listener } = await listening({
      source: await opened('require'),
      predict: (_request, call) => {
        who = call.tlsPrincipal;
        return { prediction: new Uint8Array() };
      },
    });
    const channel = credentials.createSsl(Buffer.from(authority.pem), Buffer.from(edge.keyPem), Buffer.from(edge.pem));
    const client = new GrpcClient(`localhost:${listener.port}`, Inference.fullName, {}, channel);
    const nobody = new GrpcClient(`localhost:${listener.port}`, Inference.fullName, {}, Buffer.from(authority.pem));

    await client.unary(Inference.methods.predictions, { modelName: 'm', modelVersion: '', input: new Map() });
    const refused = await nobody.failure(Inference.methods.ping, {});
    client.close();
    nobody.close();

    expect(who).toBe('CN=edge');
    expect(refused.code).toBe(14);
  });
});

describe('renewed files', () => {
  it('TL4 are served to new connections, and those that are open go on', async () => {
    const port = await secure();
    const before = await fingerprint(port);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    await ask(port, { agent });
    const renewed = await serverPair();

    put(renewed);
    await eventually(
      async () => (await fingerprint(port)) === fingerprintOf(renewed),
      () => 'the new certificate is served',
    );

    expect(before).not.toBe(fingerprintOf(renewed));
    expect(await ask(port, { agent })).toContain('nobody');
    agent.destroy();
    expect(failures).toBe(0);
    expect(expiry).toBeGreaterThan(29 * 24 * 3600);
  });

  it('TL4 a session of before does not go on after them', async () => {
    const port = await secure();
    const first = await handshake(port, { maxVersion: 'TLSv1.2' });
    const session = first.getSession();
    first.destroy();
    if (session === undefined) throw new Error('no session');
    const again = async (): Promise<boolean> => {
      const socket = await handshake(port, { maxVersion: 'TLSv1.2', session });
      const isReused = socket.isSessionReused();
      socket.destroy();
      return isReused;
    };
    expect(await again()).toBe(true);
    const renewed = await serverPair();

    put(renewed);
    await eventually(
      async () => (await fingerprint(port)) === fingerprintOf(renewed),
      () => 'the new certificate is served',
    );

    expect(await again()).toBe(false);
  });

  it.each([
    ['broken', () => writeFileSync(join(folder, 'cert.pem'), 'no certificate')],
    ['gone', () => rmSync(join(folder, 'key.pem'))],
    ['of two pairs', async () => writeFileSync(join(folder, 'key.pem'), (await serverPair()).keyPem)],
    ['expired', async () => put(await serverPair({ from: -10, until: -0.01 }))],
    ['weak', async () => put(await serverPair({ rsaBits: 1024 }))],
  ])('TL4 that are %s leave the pair before them in use, are counted and told once; no request is lost', async (_, spoil) => {
    const port = await secure();
    const before = await fingerprint(port);
    const asked: Promise<string>[] = [];
    const traffic = setInterval(() => asked.push(ask(port)), 10);

    await spoil();
    await eventually(
      () => failures >= 3,
      () => 'they were looked at',
    );
    clearInterval(traffic);

    for (const text of await Promise.all(asked)) expect(text).toContain('nobody');
    expect(await fingerprint(port)).toBe(before);
    expect(log.lines.filter((line) => line.includes('The renewed TLS files are not used'))).toHaveLength(1);

    const good = await serverPair();
    put(good);
    await eventually(
      async () => (await fingerprint(port)) === fingerprintOf(good),
      () => 'a good pair is taken after all',
    );
  });
});

describe('key material that protects too little', () => {
  it.each([
    ['an RSA key of 1024 bits', { rsaBits: 1024 }, 'its key is too short'],
    ['a signature over SHA-1', { digest: 'SHA-1' }, 'it is signed over SHA-1'],
  ] as const)('TL1 %s starts no listener', async (_, wish, why) => {
    keeper = await secure().then(() => keeper);
    put(await serverPair(wish));

    await expect(opened()).rejects.toThrow(why);
  });
});
