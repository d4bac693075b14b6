import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const SCRIPT = fileURLToPath(new URL('../../scripts/setup-python.mjs', import.meta.url));
/** Higher than any process id that Linux or macOS gives. */
const NOBODY = '99999999';

let folder: string;
let venv: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sconce-setup-'));
  venv = join(folder, 'venv');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** An interpreter that makes environments of copies of itself, lists what it is called with, and whose pip does as `pip` says. */
function interpreter({ pip = 'exit 0' } = {}): string {
  const path = join(folder, 'python');
  const lines = [
    '#!/bin/sh',
    `echo "$@" | head -n 1 >> ${join(folder, 'calls')}`,
    'case "$1 $2" in',
    '"-m venv") mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; : > "$3/pyvenv.cfg" ;;',
    `"-m pip") ${pip} ;;`,
    'esac',
  ];
  writeFileSync(path, `${lines.join('\n')}\n`);
  chmodSync(path, 0o755);
  return path;
}

function calls(): string[] {
  return existsSync(join(folder, 'calls')) ? readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n') : [];
}

function setUp(env: Record<string, string>): Promise<{ readonly code: number; readonly output: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [SCRIPT, '--demo'], { env: { PATH: process.env.PATH, SCONCE_VENV_DIR: venv, ...env }, timeout: 60_000 }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), output: `${out}${err}` }),
    );
  });
}

describe('the set-up of the Python environment', () => {
  it('makes it from nothing, and does nothing the second time', async () => {
    const PYTHON = interpreter();

    const first = await setUp({ PYTHON });
    const asked = calls().length;
    const second = await setUp({ PYTHON });

    expect(first).toMatchObject({ code: 0, output: expect.stringContaining('The Python environment is ready.') });
    expect(second).toEqual({ code: 0, output: `${join(venv, 'bin', 'python')}\n` });
    expect(calls()).toHaveLength(asked);
  });

  it('that was killed half-way is begun anew', async () => {
    const PYTHON = interpreter();
    await setUp({ PYTHON });
    writeFileSync(join(venv, '.sconce-unfinished'), NOBODY);
    writeFileSync(join(venv, 'half-a-package'), '');

    const { code } = await setUp({ PYTHON });

    expect(code).toBe(0);
    expect(existsSync(join(venv, 'half-a-package'))).toBe(false);
    expect(existsSync(join(venv, '.sconce-unfinished'))).toBe(false);
  });

  it('makes an environment without pip anew', async () => {
    const PYTHON = interpreter();
    mkdirSync(join(venv, 'bin'), { recursive: true });
    writeFileSync(join(venv, 'pyvenv.cfg'), '');
    writeFileSync(join(venv, 'bin', 'python'), "#!/bin/sh\necho No module named 'pip' >&2; exit 1\n", { mode: 0o755 });

    const { code } = await setUp({ PYTHON });

    expect(code).toBe(0);
    expect(calls()).toContain(`-m venv ${venv}`);
  });

  it('leaves a folder alone that is no environment', async () => {
    mkdirSync(venv);
    writeFileSync(join(venv, 'letter.txt'), 'keep me');

    const { code, output } = await setUp({ PYTHON: interpreter() });

    expect(code).toBe(1);
    expect(output).toContain(`${venv} holds something else than a virtual environment.`);
    expect(readFileSync(join(venv, 'letter.txt'), 'utf8')).toBe('keep me');
  });

  it("names every interpreter it tried where none can make one, with the interpreter's own reason", async () => {
    const PYTHON = join(folder, 'python');
    writeFileSync(PYTHON, '#!/bin/sh\necho is Python 3.8.18 >&2; exit 1\n', { mode: 0o755 });

    const { code, output } = await setUp({ PYTHON, PATH: '/nonexistent' });

    expect(code).toBe(1);
    expect(output).toContain(`${PYTHON} is Python 3.8.18`);
    expect(output).toContain('python3 was not found');
    expect(existsSync(venv)).toBe(false);
  });

  it("shows pip's last 20 lines when it fails, and keeps the environment for the next try", async () => {
    const failed = await setUp({ PYTHON: interpreter({ pip: 'for n in $(seq 1 30); do echo "line $n"; done; exit 1' }) });
    writeFileSync(join(venv, 'kept'), '');
    writeFileSync(join(venv, 'bin', 'python'), readFileSync(interpreter()));
    const repaired = await setUp({ PYTHON: interpreter() });

    expect(failed.code).toBe(1);
    expect(failed.output).toContain('gave exit code 1\nline 11\n');
    expect(failed.output).toMatch(/line 30\n$/);
    expect(repaired.code).toBe(0);
    expect(existsSync(join(venv, 'kept'))).toBe(true);
  });
});
