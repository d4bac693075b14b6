import { open } from 'node:fs/promises';
import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { ConfigInvalid } from '../../errors/config.js';
import type { ScanFinding } from '../../inference/scan-report.js';
import { type ExternalScanner, type ExternalSubject, external } from './external-scanner.js';

const NAME = 'clamd';
const CHUNK_BYTES = 1 << 16;
const MAX_ANSWER_BYTES = 4096;
const SILENCE_MS = 60_000;
const CONNECTIONS = 4;

/** Where clamd listens. Throws ConfigInvalid. */
export function clamdAddress(text: string): NetConnectOpts {
  const path = /^unix:(\/.+)$/.exec(text)?.[1];
  if (path !== undefined) return { path };
  const [, host, port] = /^tcp:(.+):(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined || port === undefined) throw ConfigInvalid({ message: `sconce_clamd=${text}; allowed: unix:/path or tcp:host:port` });
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) };
}

/** Asks ClamAV's daemon about every file, by its INSTREAM command: it needs no right to read them. */
export class Clamd implements ExternalScanner {
  readonly name = NAME;

  constructor(private readonly address: NetConnectOpts) {}

  async scan({ files }: ExternalSubject): Promise<readonly ScanFinding[]> {
    const findings: ScanFinding[] = [];
    const waiting = [...files];
    const work = async (): Promise<void> => {
      for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
        const answer = await this.#ask(file.path).catch((error: unknown) => `${messageOf(error)} ERROR`);
        const virus = /^stream: (.+) FOUND$/.exec(answer)?.[1];
        if (virus !== undefined) findings.push(external(NAME, 'dangerous', file.name, `is known to ClamAV as ${virus}`));
        else if (answer !== 'stream: OK') findings.push(external(NAME, 'unknown', file.name, `could not be scanned by clamd: ${answer}`));
      }
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, work));
    return findings;
  }

  async fault(): Promise<string | undefined> {
    try {
      const socket = await this.#connected();
      const answer = answerOf(socket);
      socket.end('zPING\0');
      return (await answer) === 'PONG' ? undefined : 'clamd does not answer as it should';
    } catch (error) {
      return `clamd cannot be asked: ${messageOf(error)}`;
    }
  }

  async #ask(path: string): Promise<string> {
    const file = await open(path);
    const socket = await this.#connected().catch(async (error: unknown) => {
      await file.close();
      throw error;
    });
    const answer = answerOf(socket);
    // It answers before the end where a file is too long for it.
    let isAnswered = false;
    const settled = () => {
      isAnswered = true;
    };
    answer.then(settled, settled);
    try {
      await written(socket, Buffer.from('zINSTREAM\0'));
      const chunk = Buffer.alloc(4 + CHUNK_BYTES);
      for (let count = 1; count > 0 && !isAnswered; ) {
        count = (await file.read(chunk, 4, CHUNK_BYTES)).bytesRead;
        chunk.writeUInt32BE(count, 0);
        await written(socket, chunk.subarray(0, 4 + count));
      }
    } catch (error) {
      // EPIPE: the answer says why.
      return await answer.catch(() => Promise.reject(error));
    } finally {
      await file.close();
    }
    return answer;
  }

  #connected(): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.address);
      socket.setTimeout(SILENCE_MS, () => socket.destroy(new Error(`no answer within ${SILENCE_MS / 1000} s`)));
      socket.once('error', reject);
      socket.once('connect', () => resolve(socket));
    });
  }
}

/** What it says until it closes the connection, without the closing NUL. */
function answerOf(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    socket.on('data', (piece: Buffer) => {
      answer += piece.toString('utf8');
      if (answer.length > MAX_ANSWER_BYTES || answer.includes('\0')) socket.destroy();
    });
    socket.on('error', reject);
    socket.on('close', () => (answer === '' ? reject(new Error('it closed the connection without an answer')) : resolve(answer.split('\0')[0]?.trim() ?? '')));
  });
}

function written(socket: Socket, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    // The buffer is written to again, so the socket must be done with it.
    socket.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
