import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';

/** Whether clients show a certificate: never, if they have one, or always. */
export type ClientCertificates = 'off' | 'request' | 'require';

/** The kinds of name in the order in which they are taken. */
const KINDS = ['URI', 'DNS', 'email', 'IP Address'] as const;
/** Node writes a name that could be taken for more than one as a JSON string. */
const NAME = /(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,"]*)/gy;

/**
 * The name in the certificate that the client of a connection has proven to hold, once its chain is verified: `URI:spiffe://cluster/edge`, `DNS:edge.example`,
 * `email:…`, `IP Address:…`, the first of its alternative names in this order of kinds; only without any the whole subject, `O=acme,CN=edge`. A common name
 * beside alternative names counts for nothing, as in every client. undefined without a certificate, or with one that is not verified.
 */
export function verifiedName(socket: Pick<TLSSocket, 'authorized' | 'getPeerX509Certificate'>): string | undefined {
  return socket.authorized ? nameIn(socket.getPeerX509Certificate()) : undefined;
}

/** Whether a client shows a certificate that cannot be verified. */
export function isForged(socket: TLSSocket): boolean {
  return !socket.authorized && socket.getPeerX509Certificate() !== undefined;
}

function nameIn(certificate: X509Certificate | undefined): string | undefined {
  if (certificate === undefined) return undefined;
  const { subjectAltName = '', subject } = certificate;
  const names = [...subjectAltName.matchAll(NAME)].map(([, kind = '', value = '']) => ({ kind, value }));
  for (const wanted of KINDS) {
    const found = names.find(({ kind }) => kind === wanted);
    if (found !== undefined) return `${wanted}:${found.value}`;
  }
  return subjectAltName === '' ? subject.split('\n').join(',') || undefined : undefined;
}
