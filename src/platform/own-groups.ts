import { join, relative } from 'node:path';

export const CONTROLLERS = ['memory', 'pids', 'cpu'] as const;
export type Controller = (typeof CONTROLLERS)[number];

/** Where a process stands: under cgroup v1 in a folder per controller, under v2 in one folder for all. */
export interface OwnGroups {
  readonly version: 1 | 2;
  readonly folders: Readonly<Partial<Record<Controller, string>>>;
  /** The folder that binds processes to processors, where that is a hierarchy of its own (v1). */
  readonly cores?: string | undefined;
}

interface Mount {
  readonly root: string;
  readonly point: string;
  readonly type: string;
  readonly options: readonly string[];
}

/**
 * The control groups of the process whose /proc/…/mountinfo and /proc/…/cgroup are given. v1 where the memory and pids hierarchies are mounted, else v2;
 * undefined where neither is, or where the mounts don't show the process's own group.
 */
export function ownGroups(mountinfo: string, membership: string): OwnGroups | undefined {
  const mounts = mountinfo.split('\n').flatMap(mountOf);
  const paths = new Map(membership.split('\n').flatMap(pathsOf));
  const folder = (mount: Mount | undefined, controller: string): string | undefined => {
    const path = paths.get(controller);
    if (mount === undefined || path === undefined) return undefined;
    // A container sees its own group as the mount's root, and names it by the whole path.
    const below = relative(mount.root, path);
    return below.startsWith('..') ? undefined : join(mount.point, below);
  };
  const inFirst = (controller: string) =>
    folder(
      mounts.find(({ type, options }) => type === 'cgroup' && options.includes(controller)),
      controller,
    );
  const first = Object.fromEntries(
    CONTROLLERS.flatMap((controller) => {
      const found = inFirst(controller);
      return found === undefined ? [] : [[controller, found]];
    }),
  );
  if ('memory' in first && 'pids' in first) {
    const cores = inFirst('cpuset');
    return { version: 1, folders: first, ...(cores === undefined ? {} : { cores }) };
  }
  const unified = folder(
    mounts.find(({ type }) => type === 'cgroup2'),
    '',
  );
  return unified === undefined ? undefined : { version: 2, folders: { memory: unified, pids: unified, cpu: unified } };
}

/** A line of mountinfo: `36 31 0:33 /root /point rw,… shared:1 - type source options`. */
function mountOf(line: string): readonly Mount[] {
  const [before = '', after = ''] = line.split(' - ');
  const [, , , root, point] = before.split(' ');
  const [type, , options = ''] = after.split(' ');
  if (root === undefined || point === undefined || type === undefined) return [];
  return [{ root: unescaped(root), point: unescaped(point), type, options: options.split(',') }];
}

function unescaped(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** A line of /proc/…/cgroup: `4:cpu,cpuacct:/path`, and `0::/path` for v2. */
function pathsOf(line: string): readonly (readonly [string, string])[] {
  const [, controllers, ...path] = line.split(':');
  return controllers === undefined || path.length === 0 ? [] : controllers.split(',').map((controller) => [controller, path.join(':')] as const);
}
