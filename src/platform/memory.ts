import { totalmem } from 'node:os';

/** What this process and its children may use in bytes: the machine's memory, or the container's share of it. */
export function usableMemoryBytes(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(totalmem(), constrained) : totalmem();
}
