import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { SecureContextOptions } from 'node:tls';
import { ConfigInvalid } from '../errors/config.js';
import type { Part } from '../lifecycle.js';
import type { Log } from '../observability/observer.js';
import { certificateOf } from './certificate-checks.js';
import type { ClientCertificates } from './client-certificate.js';
import { loadTlsMaterial, type TlsSources } from './tls.js';
import type { TlsSource } from './tls-server.js';

export interface TlsKeeperOptions extends TlsSources {
  /** PEM file of the authorities whose client certificates count. */
  readonly clientCaFile?: string | undefined;
  readonly clientCertificates: ClientCertificates;
  /** How often the files are looked at. */
  readonly reloadMs: number;
  readonly log: Log;
  /** Told at each look how long the certificate that is served has left; negative once it has expired. */
  readonly expiresIn?: (seconds: number) => void;
  readonly reloadFailed?: () => void;
}

const WARN_BEFORE_S = 14 * 24 * 3600;

/**
 * The key and certificate of the secure listeners. Looks at their files again and again, since renewal tools replace them in ways that no watch of a file
 * survives, and hands a renewed pair on once it has been checked.
 *
 *  state     event → next                                     promise while here
 *  serving   files changed and good → serving the new pair    the pair in use has been checked whole
 *            files changed and not good → serving             the pair stays; counted each look, told once, at the second
 */
export class TlsKeeper implements Part, TlsSource {
  readonly name = 'TLS certificate';
  readonly clients: ClientCertificates;
  readonly #listeners: ((renewed: SecureContextOptions) => void)[] = [];
  #current: SecureContextOptions;
  #expiresAtMs: number;
  /** Of the files that are served. */
  #served: string;
  /** Those that were refused at the last look. */
  #refused: { readonly digest: string; readonly isTold: boolean } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  #hasWarned = false;

  private constructor(
    private readonly options: TlsKeeperOptions,
    first: Loaded,
  ) {
    this.clients = options.clientCertificates;
    this.#current = first.material;
    this.#served = first.digest;
    this.#expiresAtMs = first.expiresAtMs;
  }

  /** Rejects with ConfigInvalid, naming the file. */
  static async open(options: TlsKeeperOptions): Promise<TlsKeeper> {
    return new TlsKeeper(options, await load(options));
  }

  get current(): SecureContextOptions {
    return this.#current;
  }

  onRenewed(listener: (renewed: SecureContextOptions) => void): void {
    this.#listeners.push(listener);
  }

  async start(): Promise<void> {
    this.#tellExpiry();
    this.#timer = setInterval(() => {
      this.#looking = this.#looking.then(() => this.#look());
    }, this.options.reloadMs);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  async #look(): Promise<void> {
    const { log, reloadFailed } = this.options;
    const digest = await digestOf(this.options);
    if (digest !== this.#served) {
      try {
        const loaded = await load(this.options);
        if (loaded.expiresAtMs < Date.now()) throw ConfigInvalid({ message: 'the renewed certificate has expired' });
        this.#current = loaded.material;
        this.#served = loaded.digest;
        this.#expiresAtMs = loaded.expiresAtMs;
        this.#refused = undefined;
        this.#hasWarned = false;
        for (const listener of this.#listeners) listener(loaded.material);
        log.info('The TLS certificate was renewed: new connections get it.');
      } catch (error) {
        reloadFailed?.();
        // A tool that writes one file after the other passes through pairs that don't match: what still is there at the next look is meant.
        const isMeant = this.#refused?.digest === digest;
        if (isMeant && !this.#refused?.isTold)
          log.error(`The renewed TLS files are not used, those before them still are: ${error instanceof Error ? error.message : String(error)}`);
        this.#refused = { digest, isTold: isMeant };
      }
    }
    this.#tellExpiry();
  }

  #tellExpiry(): void {
    const { log, expiresIn } = this.options;
    if (this.#expiresAtMs === Number.POSITIVE_INFINITY) return;
    const seconds = Math.floor((this.#expiresAtMs - Date.now()) / 1000);
    expiresIn?.(seconds);
    if (seconds >= WARN_BEFORE_S || this.#hasWarned) return;
    this.#hasWarned = true;
    log.warn(seconds < 0 ? 'The TLS certificate has expired.' : `The TLS certificate expires in ${Math.floor(seconds / 86_400)} days.`);
  }
}

interface Loaded {
  readonly material: SecureContextOptions;
  readonly digest: string;
  /** Infinity where Node doesn't tell. */
  readonly expiresAtMs: number;
}

async function load(options: TlsKeeperOptions): Promise<Loaded> {
  const { clientCertificates, clientCaFile } = options;
  const digest = await digestOf(options);
  const material = await loadTlsMaterial(options);
  const expiresAtMs = Date.parse(certificateOf(material)?.validTo ?? '') || Number.POSITIVE_INFINITY;
  if (clientCertificates === 'off') return { material, digest, expiresAtMs };
  if (clientCaFile === undefined) throw ConfigInvalid({ message: `sconce_client_certificates=${clientCertificates} needs sconce_client_ca_file` });
  const ca = await readFile(clientCaFile).catch((error: unknown) => {
    throw ConfigInvalid({ message: `sconce_client_ca_file ${clientCaFile} cannot be read` }, error);
  });
  if (!ca.includes('-----BEGIN CERTIFICATE-----')) throw ConfigInvalid({ message: `sconce_client_ca_file ${clientCaFile} holds no PEM certificate` });
  try {
    certificateOf({ ...material, ca });
  } catch (error) {
    throw ConfigInvalid({ message: `sconce_client_ca_file ${clientCaFile} cannot be used: ${error instanceof Error ? error.message : String(error)}` }, error);
  }
  return { material: { ...material, ca }, digest, expiresAtMs };
}

/** What the files hold now. A file that cannot be read counts as empty: loading tells. */
async function digestOf({ keystore, privateKeyFile, certificateFile, clientCaFile }: TlsKeeperOptions): Promise<string> {
  const hash = createHash('sha256');
  for (const file of [keystore, privateKeyFile, certificateFile, clientCaFile]) {
    const content = file === undefined ? Buffer.alloc(0) : await readFile(file).catch(() => Buffer.alloc(0));
    hash.update(`${content.length} `).update(content);
  }
  return hash.digest('hex');
}
