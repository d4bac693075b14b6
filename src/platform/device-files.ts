import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const IN_DEV = /^(nvidia\d*|nvidiactl|nvidia-(uvm|uvm-tools|modeset)|nvidia-caps|kfd|dri|dxg|accel|habanalabs.*)$/;
const OF_ONE_GPU = /^nvidia(\d+)$/;

/**
 * Device files, and folders of them, through which accelerators are used. With `only`, those of other GPUs are left out, as far as they can be told apart: they
 * can with NVIDIA's, whose names are given as nvidia-smi counts them (`0`) or as it names them (`GPU-8a1f…`).
 */
export async function acceleratorFiles(only?: readonly string[], root = '/'): Promise<readonly string[]> {
  const names = (await readdir(join(root, 'dev')).catch(() => [])).filter((name) => IN_DEV.test(name));
  const minors = only === undefined ? undefined : await minorsOf(only, root);
  const isHidden = (name: string) => {
    const minor = OF_ONE_GPU.exec(name)?.[1];
    return minor !== undefined && minors !== undefined && !minors.has(minor);
  };
  return names.filter((name) => !isHidden(name)).map((name) => join('/dev', name));
}

/** The numbers in the names of their device files; undefined where one can't be told. */
async function minorsOf(gpus: readonly string[], root: string): Promise<ReadonlySet<string> | undefined> {
  const folder = join(root, 'proc/driver/nvidia/gpus');
  // nvidia-smi counts in the order of the bus addresses, which are these folders' names.
  const slots = (await readdir(folder).catch(() => [])).sort();
  const facts = await Promise.all(slots.map((slot) => readFile(join(folder, slot, 'information'), 'latin1').catch(() => '')));
  const minors = gpus.map((gpu) => {
    const told = /^\d+$/.test(gpu) ? facts[Number(gpu)] : facts.find((text) => /^GPU UUID:\s*(\S+)/m.exec(text)?.[1] === gpu);
    return /^Device Minor:\s*(\d+)/m.exec(told ?? '')?.[1];
  });
  return minors.every((minor) => minor !== undefined) ? new Set(minors) : undefined;
}
