import { spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { z } from 'zod';
import { ConfigInvalid } from '../../errors/config.js';
import type { ScanFinding } from '../../inference/scan-report.js';
import { killWithGroup } from '../../platform/processes.js';
import { type ExternalScanner, type ExternalSubject, external } from './external-scanner.js';

const PATH_PLACE = '{path}';
const MAX_OUTPUT_BYTES = 1 << 20;

const commandSchema = z.strictObject({
  /** Program and arguments; `{path}` stands for the file or folder, which comes last where it stands nowhere. */
  command: z.array(z.string()).min(1),
  /** Asked once about the model's folder, or once about every file of it. */
  each: z.enum(['model', 'file']).default('model'),
  cleanExits: z.array(z.int()).default([0]),
  dangerousExits: z.array(z.int()).default([1]),
  /** A regular expression: what it says then is dangerous too, whatever its exit code. */
  dangerousOutput: z.string().optional(),
  timeoutS: z.number().positive().max(3600).default(120),
});
type CommandOptions = z.infer<typeof commandSchema>;

/** What a scanner may print, as one JSON object, in place of an exit code. */
const answerSchema = z.object({
  verdict: z.enum(['clean', 'unknown', 'dangerous']),
  findings: z
    .array(z.object({ file: z.string().default(''), says: z.string(), level: z.enum(['note', 'unknown', 'dangerous']).optional() }))
    .max(1000)
    .default([]),
});

interface CommandOutcome {
  /** undefined: it was ended, or never began. */
  readonly code: number | undefined;
  readonly output: string;
  /** What it said last on standard error, or why it was ended. */
  readonly complaint: string;
}

/** Reads sconce_scanners. Throws ConfigInvalid. */
export function parseScanners(text: string | undefined): readonly CommandScanner[] {
  if (text === undefined || text.trim() === '') return [];
  try {
    const parsed = z.record(z.string().regex(/^[\w.-]{1,40}$/), commandSchema).parse(JSON.parse(text));
    return Object.entries(parsed).map(([name, options]) => new CommandScanner(name, options));
  } catch (error) {
    const why = error instanceof z.ZodError ? error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ') : 'it is no JSON';
    throw ConfigInvalid({ message: `sconce_scanners: ${why}; allowed: {"name": {"command": ["program", "{path}"]}}` }, error);
  }
}

/** A program that judges a file or folder. It gets none of the server's environment but PATH, and dies with all it started at its time limit. */
export class CommandScanner implements ExternalScanner {
  constructor(
    readonly name: string,
    private readonly options: CommandOptions,
  ) {}

  async scan({ path, files }: ExternalSubject): Promise<readonly ScanFinding[]> {
    if (this.options.each === 'model') return this.#ask(path, '');
    const found: ScanFinding[] = [];
    for (const file of files) found.push(...(await this.#ask(file.path, file.name)));
    return found;
  }

  async fault(): Promise<string | undefined> {
    const [program = ''] = this.options.command;
    const places = program.includes('/') ? [program] : (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, program));
    return places.some(isExecutable) ? undefined : `the scanner ${this.name} is not there: ${program}`;
  }

  async #ask(path: string, name: string): Promise<readonly ScanFinding[]> {
    const { cleanExits, dangerousExits, dangerousOutput } = this.options;
    const { code, output, complaint } = await this.#run(path);
    if (code === undefined) return [external(this.name, 'unknown', name, `could not be scanned by ${this.name}: ${complaint}`)];
    const answer = answerIn(output);
    if (answer !== undefined) {
      const findings = answer.findings.map(({ file, says, level }) =>
        external(this.name, level ?? (answer.verdict === 'clean' ? 'note' : answer.verdict), file || name, says),
      );
      const isTold = findings.some(({ level }) => level === answer.verdict);
      return answer.verdict === 'clean' || isTold ? findings : [...findings, external(this.name, answer.verdict, name, `is ${answer.verdict} to ${this.name}`)];
    }
    if (dangerousExits.includes(code) || (dangerousOutput !== undefined && new RegExp(dangerousOutput, 'm').test(output)))
      return [external(this.name, 'dangerous', name, `is dangerous to ${this.name}: ${lastLine(output) || `exit code ${code}`}`)];
    return cleanExits.includes(code) ? [] : [external(this.name, 'unknown', name, `could not be scanned by ${this.name}: ${complaint || `exit code ${code}`}`)];
  }

  #run(path: string): Promise<CommandOutcome> {
    const { command, timeoutS } = this.options;
    const [program = '', ...args] = command.some((part) => part.includes(PATH_PLACE))
      ? command.map((part) => part.replaceAll(PATH_PLACE, path))
      : [...command, path];
    // Some write what they found into the folder that they are run in.
    const scratch = mkdtempSync(join(tmpdir(), 'sconce-scanner-'));
    return new Promise<CommandOutcome>((resolve) => {
      const child = spawn(program, args, {
        cwd: scratch,
        env: { PATH: process.env.PATH, LANG: 'C.UTF-8', HOME: scratch, TMPDIR: scratch },
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: true,
      });
      let ended: string | undefined;
      const end = (why: string): void => {
        ended ??= why;
        killWithGroup(child.pid);
      };
      const timer = setTimeout(() => end(`it took longer than ${timeoutS} s`), timeoutS * 1000);
      const [output, errors] = [child.stdout, child.stderr].map((stream) => {
        const pieces: Buffer[] = [];
        let bytes = 0;
        stream.on('data', (piece: Buffer) => {
          bytes += piece.length;
          if (bytes > MAX_OUTPUT_BYTES) end(`it printed more than ${MAX_OUTPUT_BYTES} bytes`);
          else pieces.push(piece);
        });
        return () => Buffer.concat(pieces).toString('utf8');
      });
      child.on('error', (error) => {
        clearTimeout(timer);
        resolve({ code: undefined, output: '', complaint: error.message });
      });
      child.on('close', (code, signal) => {
        clearTimeout(timer);
        // What it left running dies too.
        killWithGroup(child.pid);
        const complaint = ended ?? (lastLine(errors?.() ?? '') || (signal === null ? '' : `ended by ${signal}`));
        resolve({ code: ended === undefined ? (code ?? undefined) : undefined, output: output?.() ?? '', complaint });
      });
    }).finally(() => rmSync(scratch, { recursive: true, force: true }));
  }
}

function answerIn(output: string): z.infer<typeof answerSchema> | undefined {
  if (!output.trimStart().startsWith('{')) return undefined;
  try {
    return answerSchema.safeParse(JSON.parse(output)).data;
  } catch {
    return undefined;
  }
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1)?.trim() ?? '';
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
