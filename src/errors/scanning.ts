import { defineError } from './sconce-error.js';

/** A model that the scan refuses. `found` is the first finding that counts; `more` is how many there are beyond it. */
export const ScanRefused = defineError<{ model: string; found: string; more: number; hash: string }>('SCAN_REFUSED', {
  kind: 'forbidden',
  type: 'InvalidModelException',
  says: ({ model, found, more, hash }) =>
    `Model ${model} is refused by the scan: ${found}${more > 0 ? ` (and ${more} more findings)` : ''}. To serve it all the same, name ${model}, or the hash ${hash}, in sconce_scan_permit.`,
});
/** The scan itself failed: a file that cannot be read, a thread that died. */
export const ScanFailed = defineError<{ model: string; why: string }>('SCAN_FAILED', {
  kind: 'bug',
  says: ({ model, why }) => `Model ${model} could not be scanned: ${why}`,
});
export const NotScanned = defineError<{ model: string }>('NOT_SCANNED', {
  kind: 'not-found',
  says: ({ model }) => `Model ${model} was not scanned: sconce_scan is off.`,
});
