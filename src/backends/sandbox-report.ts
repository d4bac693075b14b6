import { z } from 'zod';

/** What holds around a worker, as it found out before it read anything of an archive; see PROTECTIONS in python/sconce_worker/enclosure.py. */
export interface SandboxReport {
  readonly held: readonly string[];
  /** Why not, by the name of the protection. */
  readonly missing: Readonly<Record<string, string>>;
}

const report = z.object({ held: z.array(z.string()), missing: z.record(z.string(), z.string()) });

/** undefined for anything else. */
export function readSandboxReport(value: unknown): SandboxReport | undefined {
  return report.safeParse(value).data;
}

/** `own user: why; …` */
export function missingText({ missing }: SandboxReport): string {
  return Object.entries(missing)
    .map(([name, why]) => `${name} (${why})`)
    .join(', ');
}
