import { availableParallelism } from 'node:os';
import { CorePlan } from '../backends/core-plan.js';
import type { GpuWatch } from '../backends/gpu-watch.js';
import { numbersOf } from '../backends/own-cores.js';
import { Placement } from '../backends/placement.js';
import type { Settings } from '../config/settings.js';
import type { Log } from '../observability/observer.js';
import type { GpuFigures } from '../observability/system-metrics.js';
import { Accelerators } from '../platform/accelerators.js';
import { availableProcessors, type Processor } from '../platform/processors.js';

/** The accelerators that this process may use. */
export function findAccelerators({ ipexGpuEnable, numberOfGpu }: Settings, env: Readonly<Record<string, string | undefined>>): Accelerators {
  return new Accelerators({ ...env, TS_IPEX_GPU_ENABLE: String(ipexGpuEnable) }, undefined, numberOfGpu);
}

/** How the processors are shared out, and whether workers are bound to them: where `cpu_launcher_enable` asks for it. */
export function createPlacement({ cpuLauncherEnable, cpuLauncherArgs }: Settings, log: Log): Placement {
  if (!cpuLauncherEnable) return new Placement(availableParallelism());
  const plan = new CorePlan(cpuLauncherArgs, availableProcessors());
  if (plan.ignored.length > 0) log.warn(`cpu_launcher_args: without effect here: ${plan.ignored.join(' ')}`);
  return new Placement(availableParallelism(), plan);
}

/** How these processors and no others are shared out: workers are bound to them in any case. */
export function placementOn(processors: readonly Processor[], { cpuLauncherEnable, cpuLauncherArgs }: Settings): Placement {
  const plan = cpuLauncherEnable ? new CorePlan(cpuLauncherArgs, processors) : undefined;
  return new Placement(processors.length, plan, numbersOf(processors));
}

/** What the GPUs do now, for the metrics of the host. */
export async function gpuFigures(watch: GpuWatch): Promise<readonly GpuFigures[]> {
  await watch.refresh();
  return watch.all().map(([ordinal, usage]) => ({ ordinal, ...usage }));
}
