import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { type AuditLine, readLine } from '../admission/audit-chain.js';
import { chainFiles, verifyChain } from '../admission/audit-files.js';
import { auditPathOf } from '../composition/audit.js';
import { resolveSettings } from '../config/resolve.js';
import { snapshotFolder } from '../config/snapshot-files.js';
import { defineError } from '../errors/sconce-error.js';
import { printTable } from './table.js';

const AuditNotFound = defineError<{ message: string }>('AUDIT_NOT_FOUND', { kind: 'not-found', says: ({ message }) => message });

export interface AuditFlags {
  readonly config?: string;
  readonly json?: boolean;
}

/** What `sconce audit show` keeps of the lines. Texts are parts of the field, `since` and `until` are times as the lines have them. */
export interface AuditFilter {
  readonly who?: string;
  readonly tenant?: string;
  readonly verb?: string;
  readonly subject?: string;
  readonly result?: string;
  readonly since?: string;
  readonly until?: string;
  readonly last?: string;
}

/** `sconce audit verify`: 0 where the chain is whole, 1 and the first line that is wrong where not. Throws AuditNotFound. */
export async function verifyAudit(file: string | undefined, flags: AuditFlags & { expect?: string }): Promise<number> {
  const path = pathOf(file, flags);
  const files = filesOf(path);
  const { lines, head, firstSeq, broken } = await verifyChain(files, path, expectedOf(flags.expect));
  if (flags.json) process.stdout.write(`${JSON.stringify({ files, lines, firstSeq, head, broken }, undefined, 2)}\n`);
  else if (broken !== undefined) process.stdout.write(`${broken.file}:${broken.lineNumber}: ${broken.why}\n`);
  else {
    const older = firstSeq === undefined || firstSeq === 1 ? '' : ` Lines before ${firstSeq} are not here.`;
    process.stdout.write(
      `${lines} lines in ${files.length} files, unbroken.${older} The last: ${head === undefined ? 'none' : `${head.seq}:${head.sha256}`}\n`,
    );
  }
  return broken === undefined ? 0 : 1;
}

/** `sconce audit show`: the lines that the filter keeps. Throws AuditNotFound. */
export async function showAudit(file: string | undefined, flags: AuditFlags & AuditFilter): Promise<void> {
  const kept: AuditLine[] = [];
  const last = flags.last === undefined ? Number.POSITIVE_INFINITY : Number(flags.last);
  for (const path of filesOf(pathOf(file, flags)))
    for await (const text of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
      const line = readLine(text);
      if (line === undefined || !keeps(flags, line)) continue;
      kept.push(line);
      if (kept.length > last) kept.shift();
    }
  if (flags.json) return void process.stdout.write(kept.map((line) => `${JSON.stringify(line)}\n`).join(''));
  printTable(
    ['time', 'who', 'tenant', 'from', 'what', 'result'],
    kept.map(({ time, who, tenant, from, verb, subject, version, result, why, count }) => [
      time,
      who,
      tenant,
      from,
      [verb, subject, version].filter((text) => text).join(' '),
      [result, why === undefined ? '' : `(${why})`, count === undefined ? '' : `× ${count}`].filter((text) => text !== '').join(' '),
    ]),
  );
}

function keeps({ who, tenant, verb, subject, result, since, until }: AuditFilter, line: AuditLine): boolean {
  const has = (wanted: string | undefined, text: string): boolean => wanted === undefined || text.includes(wanted);
  return (
    has(who, line.who) &&
    has(tenant, line.tenant) &&
    has(verb, line.verb) &&
    has(subject, line.subject) &&
    has(result, line.result) &&
    (since === undefined || line.time >= since) &&
    (until === undefined || line.time < until)
  );
}

function pathOf(file: string | undefined, { config }: AuditFlags): string {
  const cwd = process.cwd();
  if (file !== undefined) return resolve(cwd, file);
  const { env } = process;
  const { settings } = resolveSettings({ flags: new Map(), env, cwd, configFile: config, snapshotFolder: snapshotFolder(env, cwd) });
  const path = auditPathOf(settings, { cwd, logFolder: resolve(cwd, env.LOG_LOCATION ?? 'logs') });
  if (path === undefined) throw AuditNotFound({ message: 'sconce_audit_log is off' });
  return path;
}

function filesOf(path: string): readonly string[] {
  const files = chainFiles(path);
  if (files.length === 0) throw AuditNotFound({ message: `there is no audit log at ${path}` });
  return files;
}

/** `123:9f86…`, as `verify` prints it. */
function expectedOf(text: string | undefined): { seq: number; sha256: string } | undefined {
  if (text === undefined) return undefined;
  const [, seq, sha256] = /^(\d+):([0-9a-f]{64})$/.exec(text) ?? [];
  if (seq === undefined || sha256 === undefined) throw AuditNotFound({ message: `--expect ${text}; allowed: what verify prints at its end, 123:9f86…` });
  return { seq: Number(seq), sha256 };
}
