import { accessSync, constants, readdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export type AcceleratorVendor = 'nvidia' | 'amd' | 'intel' | 'apple';

/** What of its machine the search looks at; tests put another machine in its place. */
export interface Machine {
  readonly platform: string;
  readonly arch: string;
  /** Names in a folder; none where it can't be read. */
  entries(folder: string): readonly string[];
  /** Content of a file; empty where it can't be read. */
  text(file: string): string;
  isOnPath(command: string): boolean;
}

type Env = Readonly<Record<string, string | undefined>>;

/** Environment variables that show a process only some of a vendor's devices; the first one that is set counts, the first one is the one to set. */
const VISIBLE: Readonly<Record<AcceleratorVendor, readonly string[]>> = {
  nvidia: ['CUDA_VISIBLE_DEVICES'],
  // PyTorch's ROCm build obeys the CUDA name too.
  amd: ['HIP_VISIBLE_DEVICES', 'ROCR_VISIBLE_DEVICES', 'CUDA_VISIBLE_DEVICES'],
  intel: ['ZE_AFFINITY_MASK', 'XPU_VISIBLE_DEVICES'],
  apple: [],
};
const INTEL_PCI_VENDOR = '0x8086';

/**
 * The accelerators that the server may use: those of the first vendor that has any, in the order NVIDIA, AMD (ROCm), Intel (XPU), Apple (MPS), less what the
 * vendor's visible-devices variable hides. An ordinal counts the visible ones from 0, as PyTorch does.
 */
export class Accelerators {
  readonly vendor: AcceleratorVendor | undefined;
  readonly count: number;
  /** What the variable calls the device of each ordinal: `2`, or `GPU-8a1f…`. */
  readonly #names: readonly string[];

  constructor(env: Env, machine: Machine = thisMachine(env), limit: number | undefined = undefined) {
    const [vendor, present] = firstVendor(machine, env);
    this.vendor = vendor;
    const names =
      vendor === undefined
        ? []
        : visibleNames(
            VISIBLE[vendor].map((variable) => env[variable]).find((value) => value !== undefined),
            present,
          );
    this.#names = limit === undefined ? names : names.slice(0, Math.max(0, limit));
    this.count = this.#names.length;
  }

  /** The variable and its value by which a process sees just these, in this order: its own ordinals then count from 0. None for Apple's one device. */
  showing(ordinals: readonly number[]): Readonly<Record<string, string>> {
    const variable = this.vendor === undefined ? undefined : VISIBLE[this.vendor][0];
    return variable === undefined ? {} : { [variable]: ordinals.map((ordinal) => this.#names[ordinal] ?? String(ordinal)).join(',') };
  }

  /** The vendor tool's name of an ordinal: what nvidia-smi calls it. */
  nameOf(ordinal: number): string {
    return this.#names[ordinal] ?? String(ordinal);
  }
}

function firstVendor(machine: Machine, env: Env): [AcceleratorVendor | undefined, number] {
  const nvidia = machine.entries('/dev').filter((name) => /^nvidia\d+$/.test(name)).length;
  if (nvidia > 0) return ['nvidia', nvidia];
  const nodes = '/sys/class/kfd/kfd/topology/nodes';
  // A node without a gpu_id is a processor.
  const amd = machine.entries(nodes).filter((node) => Number(machine.text(join(nodes, node, 'gpu_id')).trim() || '0') !== 0).length;
  if (amd > 0) return ['amd', amd];
  // Processors of laptops and desktops hold an Intel GPU that nobody computes on: only who has Intel's tool, or says so, means it.
  if (machine.isOnPath('xpu-smi') || env.TS_IPEX_GPU_ENABLE === 'true') {
    const cards = '/sys/class/drm';
    const isIntel = (name: string) => machine.text(join(cards, name, 'device', 'vendor')).trim() === INTEL_PCI_VENDOR;
    const intel = machine.entries(cards).filter((name) => /^renderD\d+$/.test(name) && isIntel(name)).length;
    if (intel > 0) return ['intel', intel];
  }
  if (machine.platform === 'darwin' && machine.arch === 'arm64') return ['apple', 1];
  return [undefined, 0];
}

/** CUDA's rule, which the others follow: ordinals up to the first one that is no device; names of devices and of their slices (GPU-…, MIG-…) as they are. */
function visibleNames(variable: string | undefined, present: number): readonly string[] {
  if (variable === undefined) return Array.from({ length: present }, (_, ordinal) => String(ordinal));
  const names: string[] = [];
  for (const entry of variable.split(',').map((name) => name.trim())) {
    const isOrdinal = /^\d+(\.\d+)?$/.test(entry);
    if (isOrdinal ? Number.parseInt(entry, 10) >= present : !/^(GPU|MIG)-/.test(entry)) break;
    if (!names.includes(entry)) names.push(entry);
  }
  return names;
}

function thisMachine(env: Env): Machine {
  return {
    platform: process.platform,
    arch: process.arch,
    entries: (folder) => orElse([], () => readdirSync(folder)),
    text: (file) => orElse('', () => readFileSync(file, 'utf8')),
    isOnPath: (command) =>
      (env.PATH ?? '').split(delimiter).some((folder) =>
        orElse(false, () => {
          accessSync(join(folder, command), constants.X_OK);
          return true;
        }),
      ),
  };
}

/** What isn't there, or may not be read, is no accelerator. */
function orElse<T>(fallback: T, read: () => T): T {
  try {
    return read();
  } catch {
    return fallback;
  }
}
