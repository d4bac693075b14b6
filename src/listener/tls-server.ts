import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import type { SecureContextOptions, Server, TLSSocket, TlsOptions } from 'node:tls';
import { type ClientCertificates, isForged } from './client-certificate.js';

/** Where a secure listener has its key and certificate from, and is told of renewed ones. */
export interface TlsSource {
  readonly clients: ClientCertificates;
  /** Key, certificate, and the authorities of clients. */
  readonly current: SecureContextOptions;
  /** Calls `listener` with each renewed pair. */
  onRenewed(listener: (renewed: SecureContextOptions) => void): void;
}

/** Authenticated encryption with ephemeral keys, and nothing else. The level refuses keys and signatures below 112 bits, of clients too. */
export const SECURE_DEFAULTS = {
  minVersion: 'TLSv1.2',
  ciphers: [
    'TLS_AES_128_GCM_SHA256',
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
    'ECDHE-RSA-CHACHA20-POLY1305',
    '@SECLEVEL=2',
  ].join(':'),
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_COMPRESSION,
} as const;

/** What a TLS server is created with. */
export function tlsOptions({ clients, current }: TlsSource, handshakeTimeoutMs: number): TlsOptions {
  return { ...SECURE_DEFAULTS, ...current, requestCert: clients !== 'off', rejectUnauthorized: clients === 'require', handshakeTimeout: handshakeTimeoutMs };
}

/** Serves renewed pairs to the connections that come after them; those that are open go on. Session tickets of before are worth nothing from then on. */
export function keepRenewed(server: Server, source: TlsSource): void {
  source.onRenewed((renewed) => server.setSecureContext({ ...SECURE_DEFAULTS, ...renewed }));
  if (source.clients === 'request') server.prependListener('secureConnection', (socket: TLSSocket) => isForged(socket) && socket.destroy());
}

/** The first byte of every TLS connection: a handshake record. */
const HANDSHAKE_RECORD = 0x16;

export interface HandshakeLimits {
  readonly timeoutMs: number;
  /** Handshakes at one time; further connections are closed. */
  readonly maxUnderWay: number;
}

/**
 * Looks at the first byte of each connection to a secure server, and waits for it no longer than for a handshake. What is no TLS goes to `plain`. Counts the
 * handshakes under way: they cost more than anything else that a stranger can ask for.
 */
export function guardHandshakes(
  server: Server,
  { timeoutMs, maxUnderWay }: HandshakeLimits,
  plain: (socket: Socket, first: Buffer) => void,
  tooMany: () => void,
): void {
  const underWay = new Set<string>();
  const secureListeners = server.listeners('connection');
  server.removeAllListeners('connection');
  server.on('secureConnection', (socket: TLSSocket) => underWay.delete(endsOf(socket)));
  server.on('tlsClientError', (_error, socket: TLSSocket) => {
    underWay.delete(endsOf(socket));
    socket.destroy();
  });
  server.on('connection', (socket: Socket) => {
    if (underWay.size >= maxUnderWay) {
      tooMany();
      socket.destroy();
      return;
    }
    const ends = endsOf(socket);
    underWay.add(ends);
    const timer = setTimeout(() => socket.destroy(), timeoutMs);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      clearTimeout(timer);
      underWay.delete(ends);
    });
    socket.once('data', (first: Buffer) => {
      clearTimeout(timer);
      if (first[0] !== HANDSHAKE_RECORD) return plain(socket, first);
      socket.pause();
      socket.unshift(first);
      for (const listener of secureListeners) Reflect.apply(listener, server, [socket]);
    });
  });
}

/** Both ends of a connection: what tells it from all others that are open. */
function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
