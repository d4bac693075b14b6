import { request } from 'undici';
import { z } from 'zod';
import type { ScanFinding } from '../../inference/scan-report.js';
import { hashOf } from '../scan-tree.js';
import { type ExternalScanner, type ExternalSubject, external } from './external-scanner.js';

const NAME = 'virustotal';
const TIMEOUT_MS = 15_000;
const MAX_ANSWER_BYTES = 4 * 2 ** 20;
/** A free key may ask four times a minute. What comes first is what code hides in. */
const MAX_FILES = 8;
const CODE = /\.(pt|pth|bin|pkl|pickle|joblib|npy|npz|so|dll|dylib|ckpt|h5|keras|onnx)$/i;

const report = z.object({
  data: z.object({ attributes: z.object({ last_analysis_stats: z.object({ malicious: z.number(), suspicious: z.number().optional() }) }) }),
});

export interface VirusTotalOptions {
  readonly key: string;
  /** Where the API is: `https://www.virustotal.com`. */
  readonly url: string;
}

/** Asks VirusTotal by the hashes of the archive and of its weights. Nothing but hashes leaves this machine. */
export class VirusTotal implements ExternalScanner {
  readonly name = NAME;

  constructor(private readonly options: VirusTotalOptions) {}

  async scan({ files, archiveHash }: ExternalSubject): Promise<readonly ScanFinding[]> {
    const asked = files.filter(({ name }) => CODE.test(name)).slice(0, MAX_FILES);
    const found: ScanFinding[] = [];
    if (archiveHash !== undefined) found.push(...(await this.#ask('the archive', archiveHash)));
    for (const { path, name } of asked) found.push(...(await this.#ask(name, hashOf(path))));
    return found;
  }

  async fault(): Promise<string | undefined> {
    return URL.canParse(this.options.url) ? undefined : 'sconce_virustotal_url is no address';
  }

  async #ask(name: string, hash: string): Promise<readonly ScanFinding[]> {
    try {
      const { statusCode, body } = await request(new URL(`/api/v3/files/${hash}`, this.options.url), {
        headers: { 'x-apikey': this.options.key, accept: 'application/json' },
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      const text = await boundedText(body);
      if (statusCode === 404) return [];
      if (statusCode !== 200) return [external(NAME, 'unknown', name, `VirusTotal answered ${statusCode}`)];
      const { malicious, suspicious = 0 } = report.parse(JSON.parse(text)).data.attributes.last_analysis_stats;
      if (malicious > 0) return [external(NAME, 'dangerous', name, `is malicious by ${malicious} of VirusTotal's scanners`)];
      return suspicious > 0 ? [external(NAME, 'unknown', name, `is suspicious by ${suspicious} of VirusTotal's scanners`)] : [];
    } catch (error) {
      return [external(NAME, 'unknown', name, `VirusTotal cannot be asked: ${error instanceof Error ? error.message : String(error)}`)];
    }
  }
}

async function boundedText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of body) {
    bytes += piece.length;
    if (bytes > MAX_ANSWER_BYTES) throw new Error(`an answer of more than ${MAX_ANSWER_BYTES} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}
