import { createHash } from 'node:crypto';
import { ALLOWED } from './pickle/allow-list.js';

/** Raised when the scanner judges otherwise than before; what is on the list of names tells by itself. */
const RULES = 1;

/** Which rules judge: a verdict of others doesn't count. */
export const RULES_VERSION: string = `${RULES}.${createHash('sha256')
  .update([...ALLOWED.keys()].sort().join('\n'))
  .digest('hex')
  .slice(0, 8)}`;
