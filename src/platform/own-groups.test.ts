import { describe, expect, it } from 'vitest';
import { ownGroups } from './own-groups.js';

const mount = (root: string, point: string, type: string, options: string) =>
  `36 31 0:33 ${root} ${point} rw,nosuid shared:9 - ${type} ${type} rw,${options}\n`;

describe('the own control groups', () => {
  it('are a folder per controller under v1, also where two controllers share a hierarchy and a v2 one is mounted beside', () => {
    const mountinfo =
      mount('/', '/sys/fs/cgroup/memory', 'cgroup', 'memory') +
      mount('/', '/sys/fs/cgroup/pids', 'cgroup', 'pids') +
      mount('/', '/sys/fs/cgroup/cpu,cpuacct', 'cgroup', 'cpu,cpuacct') +
      mount('/', '/sys/fs/cgroup/unified', 'cgroup2', 'nsdelegate');
    const membership = '8:pids:/\n4:memory:/a/b\n2:cpu,cpuacct:/a\n1:name=systemd:/x\n0::/y\n';

    expect(ownGroups(mountinfo, membership)).toEqual({
      version: 1,
      folders: { memory: '/sys/fs/cgroup/memory/a/b', pids: '/sys/fs/cgroup/pids', cpu: '/sys/fs/cgroup/cpu,cpuacct/a' },
    });
  });

  it('are one folder for all under v2', () => {
    const folder = '/sys/fs/cgroup/system.slice/sconce.service';

    expect(ownGroups(mount('/', '/sys/fs/cgroup', 'cgroup2', 'nsdelegate'), '0::/system.slice/sconce.service\n')).toEqual({
      version: 2,
      folders: { memory: folder, pids: folder, cpu: folder },
    });
  });

  it('lie at the mount itself in a container that is shown only its own part', () => {
    const mountinfo = mount('/docker/f00', '/sys/fs/cgroup/memory', 'cgroup', 'memory') + mount('/docker/f00', '/sys/fs/cgroup/pids', 'cgroup', 'pids');

    expect(ownGroups(mountinfo, '3:pids:/docker/f00\n2:memory:/docker/f00/deeper\n')?.folders).toEqual({
      memory: '/sys/fs/cgroup/memory/deeper',
      pids: '/sys/fs/cgroup/pids',
    });
  });

  it('are unknown where the mounts show another part, or nothing is mounted', () => {
    expect(ownGroups(mount('/docker/f00', '/sys/fs/cgroup', 'cgroup2', ''), '0::/docker/other\n')).toBeUndefined();
    expect(ownGroups(mount('/', '/', 'ext4', ''), '0::/\n')).toBeUndefined();
    expect(ownGroups('', '')).toBeUndefined();
  });

  it('may have a space in their path', () => {
    expect(ownGroups(mount('/', '/a\\040b', 'cgroup2', ''), '0::/\n')?.folders.pids).toBe('/a b');
  });
});
