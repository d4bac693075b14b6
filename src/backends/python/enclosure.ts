import { mkdir, readdir, readlink, realpath, rm } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import type { ServableModel } from '../../inference/servable-model.js';
import type { SandboxRules } from '../sandbox-policy.js';
import type { UserIds } from './user-ids.js';

/** A worker's sandbox as the parent is told of it; see Wish in python/sconce_worker/enclosure.py. */
export interface EnclosureWish {
  readonly level: 'standard' | 'strict';
  readonly user: number | null;
  readonly network: boolean;
  readonly exec: boolean;
  readonly ranks: boolean;
  /** The model's folder. With a `scratch` the worker copies it to `model` there. */
  readonly model: string;
  /** [name, what lies behind it] */
  readonly shown: readonly (readonly [string, string])[];
  readonly written: readonly string[];
  readonly devices: readonly string[];
  readonly hidden: readonly string[];
  readonly roomBytes: number;
  readonly scratch: string | null;
}

/** What all sandboxes of a server have in common. */
export interface EnclosureOptions {
  /** Given to workers where the server is root; undefined elsewhere. */
  readonly users: UserIds | undefined;
  /** The server's own files, which no worker sees. */
  readonly hidden: readonly string[];
  /** What a worker may write in memory. */
  readonly roomBytes: (memoryLimitBytes: number | undefined) => number;
  /** Device files of the accelerators; of these alone where they are given. */
  readonly devices: (only?: readonly number[]) => Promise<readonly string[]>;
}

export interface EnclosureNeeds {
  readonly model: ServableModel;
  readonly rules: SandboxRules;
  readonly isGroup: boolean;
  readonly onGpu: boolean;
  /** Ordinals of the GPUs that it may reach; undefined: all. */
  readonly onlyGpus?: readonly number[] | undefined;
  readonly memoryBytes: number | undefined;
  /** Files and folders beyond the model's that the worker has to read. */
  readonly reads: readonly string[];
  /** The parent gives workers roots of their own; if not, each gets a folder. */
  readonly ownRoots: boolean;
  /** For such folders. */
  readonly runDirectory: string;
  readonly key: number;
}

/** One worker's place. Invariant: what `make` took, `give` gives back, once. */
export class Enclosure {
  private constructor(
    readonly wish: EnclosureWish,
    /** Where the worker finds its model. */
    readonly directory: string,
    private readonly users: UserIds | undefined,
  ) {}

  static async make(options: EnclosureOptions, needs: EnclosureNeeds): Promise<Enclosure> {
    const { model, rules, isGroup, onGpu, onlyGpus, reads, ownRoots } = needs;
    const scratch = ownRoots ? undefined : join(needs.runDirectory, 'models', `scratch-${needs.key}`);
    if (scratch !== undefined) await mkdir(scratch, { recursive: true, mode: 0o700 });
    const wish: EnclosureWish = {
      level: rules.level === 'strict' ? 'strict' : 'standard',
      user: options.users?.take() ?? null,
      network: rules.network,
      exec: rules.exec,
      ranks: isGroup,
      model: model.directory,
      shown: [...(await linkTargets(model)), ...[...reads, ...rules.read].map((path) => [path, path] as const)],
      written: rules.write,
      devices: onGpu ? await options.devices(onlyGpus) : [],
      hidden: options.hidden,
      roomBytes: options.roomBytes(needs.memoryBytes),
      scratch: scratch ?? null,
    };
    return new Enclosure(wish, scratch === undefined ? model.directory : join(scratch, 'model'), options.users);
  }

  /** The worker has ended. Never rejects. */
  async give(): Promise<void> {
    if (this.wish.user !== null) this.users?.give(this.wish.user);
    if (this.wish.scratch !== null) await rm(this.wish.scratch, { recursive: true, force: true }).catch(() => undefined);
  }
}

type Links = readonly (readonly [string, string])[];
const LINKS = new WeakMap<ServableModel, Promise<Links>>();

/** Found once, before any code of the model runs: no worker can add to them. */
function linkTargets(model: ServableModel): Promise<Links> {
  const known = LINKS.get(model) ?? findLinkTargets(model.directory);
  LINKS.set(model, known);
  return known;
}

/** Where the links of a folder lead that lead out of it: [the name that a link gives, the file or folder behind it]. */
async function findLinkTargets(directory: string): Promise<Links> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  const found: (readonly [string, string])[] = [];
  for (const entry of entries) {
    if (!entry.isSymbolicLink()) continue;
    const link = join(entry.parentPath, entry.name);
    const named = resolve(dirname(link), await readlink(link));
    const real = await realpath(link).catch(() => undefined);
    if (real !== undefined && !named.startsWith(directory + sep)) found.push([named, real]);
  }
  return found;
}
