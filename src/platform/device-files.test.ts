import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { acceleratorFiles } from './device-files.js';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sconce-devices-'));
  mkdirSync(join(root, 'dev'));
  for (const name of ['nvidia0', 'nvidia1', 'nvidiactl', 'nvidia-uvm', 'null']) writeFileSync(join(root, 'dev', name), '');
});

afterEach(() => rmSync(root, { recursive: true }));

/** A GPU as the driver tells of it. */
function gpu(slot: string, uuid: string, minor: number): void {
  const folder = join(root, 'proc/driver/nvidia/gpus', slot);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'information'), `Model: \t\t NVIDIA X\nGPU UUID: \t ${uuid}\nDevice Minor: \t ${minor}\n`);
}

describe('device files', () => {
  it('are those of every accelerator, unless some are named', async () => {
    expect(await acceleratorFiles(undefined, root)).toEqual(['/dev/nvidia-uvm', '/dev/nvidia0', '/dev/nvidia1', '/dev/nvidiactl']);
  });

  it('of a GPU that is not named are left out, whatever the numbers in their names', async () => {
    gpu('0000:01:00.0', 'GPU-aa', 1);
    gpu('0000:41:00.0', 'GPU-bb', 0);

    expect(await acceleratorFiles(['0'], root)).toEqual(['/dev/nvidia-uvm', '/dev/nvidia1', '/dev/nvidiactl']);
    expect(await acceleratorFiles(['GPU-bb'], root)).toEqual(['/dev/nvidia-uvm', '/dev/nvidia0', '/dev/nvidiactl']);
  });

  it('are all there where the driver does not tell which is whose', async () => {
    expect(await acceleratorFiles(['0'], root)).toContain('/dev/nvidia1');
  });
});
