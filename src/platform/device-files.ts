import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

const IN_DEV = /^(nvidia\d*|nvidiactl|nvidia-(uvm|uvm-tools|modeset)|nvidia-caps|kfd|dri|dxg|accel|habanalabs.*)$/;

/** Device files, and folders of them, through which accelerators are used. */
export async function acceleratorFiles(): Promise<readonly string[]> {
  const names = await readdir('/dev').catch(() => []);
  return names.filter((name) => IN_DEV.test(name)).map((name) => join('/dev', name));
}
