import { describe, expect, it } from 'vitest';
import { Accelerators, type Machine } from './accelerators.js';

function aMachine(files: Readonly<Record<string, string>>, over: Partial<Machine> = {}): Machine {
  const paths = Object.keys(files);
  return {
    platform: 'linux',
    arch: 'x64',
    entries: (folder) => [...new Set(paths.filter((path) => path.startsWith(`${folder}/`)).map((path) => path.slice(folder.length + 1).split('/')[0] ?? ''))],
    text: (file) => files[file] ?? '',
    isOnPath: () => false,
    ...over,
  };
}

const FOUR_NVIDIA = { '/dev/nvidia0': '', '/dev/nvidia1': '', '/dev/nvidia2': '', '/dev/nvidia3': '', '/dev/nvidiactl': '', '/dev/nvidia-uvm': '' };
const NODES = '/sys/class/kfd/kfd/topology/nodes';

describe('the accelerators of a machine', () => {
  it.each([
    ['none', {}, {}, undefined, 0],
    ['NVIDIA devices, not their control nodes', FOUR_NVIDIA, {}, 'nvidia', 4],
    ['ROCm nodes that are GPUs, not those that are processors', { [`${NODES}/0/gpu_id`]: '0\n', [`${NODES}/1/gpu_id`]: '51103\n' }, {}, 'amd', 1],
    ['an Intel GPU that nobody asked for', { '/sys/class/drm/renderD128/device/vendor': '0x8086\n' }, {}, undefined, 0],
    [
      'Intel GPUs where IPEX is told to use them',
      {
        '/sys/class/drm/renderD128/device/vendor': '0x8086\n',
        '/sys/class/drm/renderD129/device/vendor': '0x10de\n',
        '/sys/class/drm/card0/device/vendor': '0x8086',
      },
      { TS_IPEX_GPU_ENABLE: 'true' },
      'intel',
      1,
    ],
  ] as const)('are: %s', (_, files, env, vendor, count) => {
    const found = new Accelerators(env, aMachine(files));

    expect([found.vendor, found.count]).toEqual([vendor, count]);
  });

  it('are Intel ones too where its tool is there, and the one of an Apple processor', () => {
    const intel = aMachine({ '/sys/class/drm/renderD128/device/vendor': '0x8086\n' }, { isOnPath: (command) => command === 'xpu-smi' });

    expect(new Accelerators({}, intel)).toMatchObject({ vendor: 'intel', count: 1 });
    expect(new Accelerators({}, aMachine({}, { platform: 'darwin', arch: 'arm64' }))).toMatchObject({ vendor: 'apple', count: 1 });
    expect(new Accelerators({}, aMachine({}, { platform: 'darwin', arch: 'x64' })).count).toBe(0);
  });

  it.each([
    ['', 0],
    ['-1', 0],
    ['2,3', 2],
    [' 1 , 0 ', 2],
    ['0,0,1', 2],
    ['0,7,1', 1],
    ['1,-1,2', 1],
    ['GPU-8a1f,MIG-77', 2],
  ])('with CUDA_VISIBLE_DEVICES=%s are %i', (value, count) => {
    expect(new Accelerators({ CUDA_VISIBLE_DEVICES: value }, aMachine(FOUR_NVIDIA)).count).toBe(count);
  });

  it('are no more than the setting says, and no fewer than none', () => {
    expect([2, 9, 0, -1].map((limit) => new Accelerators({}, aMachine(FOUR_NVIDIA), limit).count)).toEqual([2, 4, 0, 0]);
  });

  it('are shown to a group of ranks by the names that they have outside', () => {
    const some = new Accelerators({ CUDA_VISIBLE_DEVICES: '3,1,2' }, aMachine(FOUR_NVIDIA));

    expect(some.showing([0, 2])).toEqual({ CUDA_VISIBLE_DEVICES: '3,2' });
    expect(some.nameOf(1)).toBe('1');
    expect(new Accelerators({ ROCR_VISIBLE_DEVICES: '1' }, aMachine({ [`${NODES}/1/gpu_id`]: '5', [`${NODES}/2/gpu_id`]: '6' })).showing([0])).toEqual({
      HIP_VISIBLE_DEVICES: '1',
    });
    expect(new Accelerators({}, aMachine({}, { platform: 'darwin', arch: 'arm64' })).showing([0])).toEqual({});
  });
});
