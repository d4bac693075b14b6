import { closeSync, createReadStream, createWriteStream, fstatSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { LineSink } from './line-writer.js';
import { dayAndMonth } from './timestamp.js';

const ROLL_AT_BYTES = 100 * 1024 * 1024;
const KEPT_FILES = 5;

/**
 * A log file that rolls at 100 MB and at midnight to `{name}.{dd-MMM}.log.gz`, keeping five, as TorchServe's do.
 * Writing never throws: a full disk must not stop the server. The blocks are written synchronously; they are few, and none is lost at the end.
 */
export class RollingFile implements LineSink {
  #fd: number | undefined;
  #sizeBytes = 0;
  #day = '';
  #rolling: Promise<void> = Promise.resolve();

  constructor(readonly path: string) {
    mkdirSync(dirname(path), { recursive: true });
    this.#open();
  }

  write(text: string): void {
    if (this.#sizeBytes > ROLL_AT_BYTES || this.#day !== dayAndMonth(Date.now())) this.#roll();
    if (this.#fd === undefined) return;
    try {
      this.#sizeBytes += writeSync(this.#fd, text);
    } catch {
      // Disk full or file system gone: the lines are lost, serving goes on.
    }
  }

  /** Resolves when rolled files have been compressed. */
  async close(): Promise<void> {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    await this.#rolling;
  }

  #open(): void {
    this.#fd = openSync(this.path, 'a');
    const stat = fstatSync(this.#fd);
    this.#sizeBytes = stat.size;
    this.#day = dayAndMonth(stat.size > 0 ? stat.mtimeMs : Date.now());
  }

  #roll(): void {
    const day = this.#day;
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    try {
      const moved = `${this.path}.${process.pid}.rolling`;
      renameSync(this.path, moved);
      this.#rolling = this.#rolling.then(() => this.#compress(moved, day)).catch(() => rmSync(moved, { force: true }));
      this.#open();
      this.#day = dayAndMonth(Date.now());
    } catch {
      // The file vanished under us or cannot be made again; try at the next write.
      this.#day = '';
    }
  }

  async #compress(moved: string, day: string): Promise<void> {
    const stem = join(dirname(this.path), `${basename(this.path, '.log')}.${day}`);
    const target = this.#free(stem);
    await pipeline(createReadStream(moved), createGzip(), createWriteStream(target));
    rmSync(moved, { force: true });
    this.#prune();
  }

  #free(stem: string): string {
    const taken = new Set(readdirSync(dirname(stem)));
    for (let n = 0; ; n += 1) {
      const candidate = n === 0 ? `${stem}.log.gz` : `${stem}-${n}.log.gz`;
      if (!taken.has(basename(candidate))) return candidate;
    }
  }

  #prune(): void {
    const folder = dirname(this.path);
    const start = `${basename(this.path, '.log')}.`;
    const rolled = readdirSync(folder)
      .filter((name) => name.startsWith(start) && name.endsWith('.log.gz'))
      .map((name) => ({ name, atMs: statSync(join(folder, name)).mtimeMs }))
      .sort((a, b) => b.atMs - a.atMs);
    for (const { name } of rolled.slice(KEPT_FILES)) rmSync(join(folder, name), { force: true });
  }
}
