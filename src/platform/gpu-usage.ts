import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** What a GPU is doing. */
export interface GpuUsage {
  /** Percent of the last moment in which something computed. */
  readonly utilization: number;
  /** Percent of the last moment in which memory was read or written. */
  readonly memoryUtilization: number;
  readonly memoryUsedMib: number;
}

const TIMEOUT_MS = 5000;
const QUERY = ['--query-gpu=index,uuid,utilization.gpu,utilization.memory,memory.used', '--format=csv,noheader,nounits'];

/** Asks nvidia-smi, the vendor's tool. Gives each GPU's usage under its index and under its UUID; nothing where there is no such tool or it doesn't answer within 5 s. */
export async function readGpuUsage(command = 'nvidia-smi'): Promise<ReadonlyMap<string, GpuUsage>> {
  const usage = new Map<string, GpuUsage>();
  const output = await promisify(execFile)(command, QUERY, { timeout: TIMEOUT_MS, killSignal: 'SIGKILL' }).then(
    ({ stdout }) => stdout,
    () => '',
  );
  for (const line of output.split('\n')) {
    const [index = '', uuid = '', ...figures] = line.split(',').map((cell) => cell.trim());
    // A figure that the device doesn't tell reads `[N/A]`.
    const [utilization = 0, memoryUtilization = 0, memoryUsedMib = 0] = figures.map((figure) => Number(figure) || 0);
    if (figures.length !== 3) continue;
    for (const name of [index, uuid]) usage.set(name, { utilization, memoryUtilization, memoryUsedMib });
  }
  return usage;
}
