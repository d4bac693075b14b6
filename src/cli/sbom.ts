import { z } from 'zod';
import type { ClientFlags } from './server-addresses.js';
import { manage } from './server-client.js';

const versions = z.array(z.looseObject({ modelVersion: z.string() })).min(1);
const bill = z.looseObject({ bomFormat: z.literal('CycloneDX') });

/** `sconce sbom`: prints the bill of materials of a served model, CycloneDX in JSON. The default version's unless one is named. */
export async function printBill(model: string, flags: ClientFlags): Promise<void> {
  const [name = model, named] = model.split('/');
  const path = `/models/${encodeURIComponent(name)}`;
  const version = named ?? (await manage(flags, 'GET', path, versions))[0]?.modelVersion ?? '';
  const found = await manage(flags, 'GET', `${path}/${encodeURIComponent(version)}/sbom`, bill);
  process.stdout.write(`${JSON.stringify(found, undefined, 2)}\n`);
}
