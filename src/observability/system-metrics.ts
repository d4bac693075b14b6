import { readFile, statfs } from 'node:fs/promises';
import { cpus, freemem, totalmem } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Part } from '../lifecycle.js';
import type { Metrics } from './metrics.js';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** What a GPU does, by the server's ordinal. */
export interface GpuFigures {
  readonly ordinal: number;
  /** Percent. */
  readonly utilization: number;
  readonly memoryUtilization: number;
  readonly memoryUsedMib: number;
}

interface CpuTimes {
  readonly busy: number;
  readonly all: number;
}

function cpuTimes(): CpuTimes {
  let busy = 0;
  let all = 0;
  for (const { times } of cpus()) {
    const total = times.user + times.nice + times.sys + times.idle + times.irq;
    all += total;
    busy += total - times.idle;
  }
  return { busy, all };
}

/** What the kernel could give without swapping; `freemem` counts caches as used. Bytes. */
async function availableMemory(): Promise<number> {
  try {
    const found = /^MemAvailable:\s+(\d+) kB/m.exec(await readFile('/proc/meminfo', 'utf8'));
    if (found?.[1] !== undefined) return Number(found[1]) * 1024;
  } catch {
    // Not Linux: the plain figure has to do.
  }
  return freemem();
}

/**
 * CPU, memory, disk and GPUs of the host, right after start and then every interval, under TorchServe's names and units.
 * Read in-process: no Python is started for it.
 */
export class SystemMetrics implements Part {
  readonly name = 'system-metrics';
  #timer: NodeJS.Timeout | undefined;
  #last = cpuTimes();
  readonly #loop = monitorEventLoopDelay({ resolution: 20 });

  constructor(
    private readonly metrics: Metrics,
    private readonly intervalMs: number,
    private readonly gpus: () => Promise<readonly GpuFigures[]>,
  ) {}

  async start(): Promise<void> {
    this.#loop.enable();
    await this.collect();
    this.#timer = setInterval(() => void this.collect(), this.intervalMs);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#loop.disable();
  }

  async collect(): Promise<void> {
    const now = cpuTimes();
    const ticks = now.all - this.#last.all;
    const cpu = ticks > 0 ? ((now.busy - this.#last.busy) / ticks) * 100 : 0;
    this.#last = now;
    const disk = await statfs('/');
    const diskUsed = (disk.blocks - disk.bfree) * disk.bsize;
    const diskFree = disk.bavail * disk.bsize;
    const available = await availableMemory();
    const gauge = (name: string, value: number) => this.metrics.server(name, round(value), 'Host');
    gauge('CPUUtilization', cpu);
    gauge('DiskAvailable', diskFree / GIB);
    gauge('DiskUsage', diskUsed / GIB);
    gauge('DiskUtilization', (diskUsed / Math.max(1, diskUsed + diskFree)) * 100);
    gauge('sconce_event_loop_delay_ms', this.#loop.percentile(99) / 1e6);
    this.#loop.reset();
    gauge('MemoryAvailable', available / MIB);
    gauge('MemoryUsed', (totalmem() - available) / MIB);
    gauge('MemoryUtilization', (1 - available / totalmem()) * 100);
    for (const { ordinal, utilization, memoryUtilization, memoryUsedMib } of await this.gpus()) {
      this.metrics.server('GPUUtilization', utilization, 'Host', String(ordinal));
      this.metrics.server('GPUMemoryUtilization', memoryUtilization, 'Host', String(ordinal));
      this.metrics.server('GPUMemoryUsed', memoryUsedMib, 'Host', String(ordinal));
    }
  }
}

/** Enough places to read, few enough to read quickly. */
function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
