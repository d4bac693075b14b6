import { closeSync, constants, fchmodSync, fstatSync, ftruncateSync, mkdirSync, openSync, renameSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { AuditLogUnusable } from '../errors/admission.js';
import type { Log } from '../observability/observer.js';
import type { AuditEvent } from './audit.js';
import { CHAIN_START, type ChainHead, LOG_CHANGED, nextLine } from './audit-chain.js';
import { headPathOf, lastLineOf, previousHead, readHead, rotatedPath, writeHead } from './audit-files.js';

export interface AuditLogOptions {
  /** Absolute. */
  readonly path: string;
  readonly log: Log;
  /** A longer file is put aside, and the chain goes on in a new one. */
  readonly rotateAtBytes?: number;
  /** Epoch ms. */
  readonly now?: () => number;
}

const ROTATE_AT_BYTES = 64 * 1024 * 1024;
const FLAGS = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
const MODE = 0o600;

/**
 * The audit: JSON lines of which each holds the SHA-256 of the one before. Beside them a small file tells where the chain ends, so that a shortened log is
 * noticed. Writing never throws: a full disk must not stop the server; lines that were lost are counted, and the log says so once it can be written again.
 *
 *  state   event → next                                    promise while here
 *  open    append → open                                   the file ends with the line that `#head` is of, or something else has written to it
 *  open    the file is not as it was left → open           a line tells so, and the chain goes on from what is there
 *  open    close → closed                                  –
 *  closed  –                                               events are dropped
 */
export class AuditLog {
  readonly #options: Required<AuditLogOptions>;
  #fd: number | undefined;
  #inode = 0;
  #sizeBytes = 0;
  #head: ChainHead;
  #lost = 0;
  #isClosed = false;

  /** Throws AuditLogUnusable where the file can't be opened, or is a link: what it leads to would be written to. */
  constructor(options: AuditLogOptions) {
    this.#options = { rotateAtBytes: ROTATE_AT_BYTES, now: Date.now, ...options };
    const { path } = this.#options;
    try {
      mkdirSync(dirname(path), { recursive: true });
      this.#open();
      const found = this.#found();
      this.#head = found.head;
      if (found.isChanged) this.#tellChanged();
    } catch (error) {
      this.close();
      throw AuditLogUnusable({ path, why: error instanceof Error ? error.message : String(error) }, error);
    }
  }

  readonly append = (event: AuditEvent): void => {
    if (this.#isClosed) return;
    try {
      this.#adopt();
      if (this.#sizeBytes > this.#options.rotateAtBytes) this.#rotate();
      if (this.#lost > 0) this.#write(ofServer('AUDIT_LINES_LOST', this.#lost));
      this.#lost = 0;
      this.#write(event);
    } catch (error) {
      if (this.#lost === 0) this.#options.log.error(`The audit log ${this.#options.path} cannot be written; lines are lost`, error);
      this.#lost++;
    }
  };

  close(): void {
    this.#isClosed = true;
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #open(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    const fd = openSync(this.#options.path, FLAGS, MODE);
    this.#fd = fd;
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw new Error('it is no file');
    fchmodSync(fd, MODE);
    const { ino, size } = stats;
    this.#inode = ino;
    this.#sizeBytes = size;
  }

  /** Where the chain in the files ends, and whether that is where it was left. */
  #found(): { readonly head: ChainHead; readonly isChanged: boolean } {
    const { path } = this.#options;
    const left = readHead(headPathOf(path));
    const last = this.#fd === undefined || this.#sizeBytes === 0 ? undefined : lastLineOf(this.#fd, this.#sizeBytes);
    if (last === undefined) {
      const head = previousHead(path);
      return { head, isChanged: left !== undefined && left.sha256 !== head.sha256 };
    }
    const sizeBytes = this.#sizeBytes;
    if (last.isTorn) this.#sizeBytes += writeSync(this.#fd ?? -1, '\n');
    const head = { seq: last.seq ?? left?.seq ?? 0, sha256: last.sha256 };
    // The line is written before the word of it: a server that ended in between left the one before.
    const isAt = (sizeBytes: number, sha256: string | undefined): boolean => left?.sizeBytes === sizeBytes && left.sha256 === sha256;
    const isOnlyLine = sizeBytes === last.lengthBytes && last.prev === (left?.sha256 ?? CHAIN_START);
    const isAsLeft = !last.isTorn && (isAt(sizeBytes, last.sha256) || isAt(sizeBytes - last.lengthBytes, last.prev) || isOnlyLine);
    return { head, isChanged: !isAsLeft };
  }

  /** Takes notice of what others did to the file. */
  #adopt(): void {
    const { path } = this.#options;
    const stats = statSync(path, { throwIfNoEntry: false });
    if (this.#fd !== undefined && stats?.ino === this.#inode && stats.size === this.#sizeBytes) return;
    this.#open();
    this.#head = this.#found().head;
    this.#tellChanged();
  }

  #tellChanged(): void {
    const { path, log } = this.#options;
    log.error(`The audit log ${path} is not as this server left it: lines were changed, removed or added by others`);
    this.#write(ofServer(LOG_CHANGED));
  }

  #rotate(): void {
    renameSync(this.#options.path, rotatedPath(this.#options.path, this.#head.seq));
    this.#open();
  }

  #write(event: AuditEvent): void {
    const { path, now } = this.#options;
    const fd = this.#fd ?? -1;
    const { text, head } = nextLine(this.#head, event, now());
    const bytes = Buffer.from(`${text}\n`);
    try {
      if (writeSync(fd, bytes) !== bytes.length) throw new Error('the disk is full');
    } catch (error) {
      ftruncateSync(fd, this.#sizeBytes);
      throw error;
    }
    this.#sizeBytes += bytes.length;
    this.#head = head;
    writeHead(headPathOf(path), { ...head, sizeBytes: this.#sizeBytes });
  }
}

function ofServer(result: string, count?: number): AuditEvent {
  return { who: 'server', tenant: '', from: '', request: '', verb: 'audit', subject: '', result, count };
}
