import { existsSync, readdirSync } from 'node:fs';

/** GPUs that the server may use: the entries of CUDA_VISIBLE_DEVICES where it is set, else the NVIDIA devices that the kernel shows. */
export function countGpus(env: Readonly<Record<string, string | undefined>>): number {
  const visible = env.CUDA_VISIBLE_DEVICES;
  const present = existsSync('/dev') ? readdirSync('/dev').filter((name) => /^nvidia\d+$/.test(name)).length : 0;
  if (visible === undefined) return present;
  return Math.min(present, visible.split(',').filter((id) => id.trim() !== '' && id.trim() !== '-1').length);
}
