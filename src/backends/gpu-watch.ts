import type { Accelerators } from '../platform/accelerators.js';
import { type GpuUsage, readGpuUsage } from '../platform/gpu-usage.js';

/** The last known usage of the server's GPUs. Asked of the vendor's tool at most once at a time, and never for a request. */
export class GpuWatch {
  #usage: ReadonlyMap<string, GpuUsage> = new Map();
  #asking: Promise<void> | undefined;

  constructor(
    private readonly accelerators: Accelerators,
    private readonly read: () => Promise<ReadonlyMap<string, GpuUsage>> = readGpuUsage,
  ) {}

  /** Resolves when the figures are fresh. Never rejects. */
  refresh(): Promise<void> {
    if (this.accelerators.vendor !== 'nvidia') return Promise.resolve();
    this.#asking ??= this.read()
      .then((usage) => {
        this.#usage = usage;
      })
      .finally(() => {
        this.#asking = undefined;
      });
    return this.#asking;
  }

  /** Usage by ordinal, of the GPUs that the tool tells of. */
  all(): readonly (readonly [ordinal: number, usage: GpuUsage])[] {
    return Array.from({ length: this.accelerators.count }, (_, ordinal) => ordinal).flatMap((ordinal): (readonly [number, GpuUsage])[] => {
      const usage = this.#usage.get(this.accelerators.nameOf(ordinal));
      return usage === undefined ? [] : [[ordinal, usage]];
    });
  }

  /** As describe shows it, in TorchServe's words. */
  textOf(ordinal: number): string {
    const usage = this.#usage.get(this.accelerators.nameOf(ordinal));
    if (usage === undefined) return 'failed to obtained gpu usage';
    const { utilization, memoryUtilization, memoryUsedMib } = usage;
    return `gpuId::${ordinal} utilization.gpu [%]::${utilization} % utilization.memory [%]::${memoryUtilization} % memory.used [MiB]::${memoryUsedMib} MiB`;
  }
}
