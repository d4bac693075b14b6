import { resolve } from 'node:path';
import { z } from 'zod';
import type { SettingType } from './setting-types.js';

/** Where models run that needn't be processes. `auto`: those whose files or code aren't the operator's own are. */
export const ISOLATIONS = ['thread', 'process', 'auto'] as const;
export type IsolationWish = (typeof ISOLATIONS)[number];

/** How far a sandbox goes: `strict` refuses where `standard` goes on with what can be held. */
export const SANDBOX_LEVELS = ['standard', 'strict', 'off'] as const;
export type SandboxLevel = (typeof SANDBOX_LEVELS)[number];

/** All there is would hold the server's own files. */
const absolute = z
  .string()
  .regex(/^\/[^\0]*$/)
  .refine((path) => resolve(path) !== '/');
const grant = z.strictObject({
  sandbox: z.enum(SANDBOX_LEVELS).optional(),
  isolation: z.enum(ISOLATIONS).optional(),
  network: z.boolean().optional(),
  exec: z.boolean().optional(),
  /** What requirements of the archive may name: `archive` is packages and wheels that lie in it; with `anywhere` their code runs as the server. */
  requirements: z.enum(['archive', 'anywhere']).optional(),
  /** Files and folders that workers see as they are. */
  read: z.array(absolute).optional(),
  /** Folders that workers write to. */
  write: z.array(absolute).optional(),
  /** Names of the server's environment variables; one with `*` behind it stands for all that begin so. */
  environment: z.array(z.string().regex(/^\w+\*?$/)).optional(),
});

/** What the operator lets the workers of one model do, beyond what all may. */
export type Grant = Readonly<z.infer<typeof grant>>;

/** `{"model": {"network": true}, "*": {…}}` */
export const grantsByModel: SettingType<ReadonlyMap<string, Grant>> = {
  allowed:
    'JSON of grants by model name, or `*` for all: `sandbox` (standard, strict, off), `isolation` (thread, process, auto), `network`, `exec` (true, false), `requirements` (archive, anywhere), `read`, `write` (absolute paths, not all of `/`), `environment` (names)',
  read: (text) => {
    try {
      return new Map(Object.entries(z.record(z.string().min(1), grant).parse(JSON.parse(text))));
    } catch {
      // No JSON, or not of this form: whoever asked says what is allowed.
      return undefined;
    }
  },
};
