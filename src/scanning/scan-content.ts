import { scanTemplates } from './containers/chat-template.js';
import { scanCompressed } from './containers/compressed.js';
import { scanGguf } from './containers/gguf.js';
import { scanHdf5, scanKerasConfig } from './containers/keras.js';
import { scanNumpyArray } from './containers/numpy-array.js';
import { scanOnnx } from './containers/onnx.js';
import { scanSafetensors } from './containers/safetensors.js';
import { scanTar } from './containers/tar.js';
import { scanZip } from './containers/zip.js';
import { scanPickles, searchPickles } from './pickle/pickle-streams.js';
import type { Content, ScanContext } from './scan-context.js';

const NATIVE: readonly (readonly [string, string])[] = [
  ['7f454c46', 'an ELF program or library'],
  ['4d5a', 'a Windows program or library'],
  ['cffaedfe', 'a Mach-O program or library'],
  ['cafebabe', 'a Mach-O or Java program'],
];
/** What no loader looks for a pickle in. */
const TEXT = /\.(pyi?|md|txt|json|ya?ml|csv|html?|js|mjs|ts|css|toml|cfg|ini|log|rst|jinja2?|j2)$/i;

/**
 * Scans one content by what it is, never by what it is called: every container that a loader may open, and then what lies in it. It is read as a pickle in
 * any case, as a file may be a good archive to one reader and a pickle to another. Throws ScanLimitReached.
 */
export async function scanContent(content: Content, context: ScanContext): Promise<void> {
  const { source, depth } = content;
  context.budget.nesting(depth);
  context.budget.time();
  if (source.sizeBytes === 0) return;
  const isPickle = await scanPickles(content, context);
  if (isPickle && source.read(0, 1)[0] === 0x80) {
    // A zip may lie behind it.
    await zipAnywhere(content, context);
    return;
  }
  if (await isContainer(content, context)) return;
  scanTemplates(content, context);
  const native = NATIVE.find(([mark]) => source.read(0, mark.length / 2).toString('hex') === mark);
  if (native !== undefined && source.sizeBytes > 256)
    context.report({ level: 'note', rule: 'native-code', file: content.path, says: `is ${native[1]}: code that no scan judges` });
  if (depth === 0 && native === undefined && !TEXT.test(content.path)) await searchPickles(content, 0, context);
}

async function isContainer(content: Content, context: ScanContext): Promise<boolean> {
  if (scanSafetensors(content, context) || scanGguf(content, context) || scanHdf5(content, context)) return true;
  if (await scanNumpyArray(content, context)) return true;
  if (await zipAnywhere(content, context)) return true;
  if (await scanCompressed(content, context)) return true;
  if (await scanTar(content, context)) return true;
  return scanOnnx(content, context) || scanKerasConfig(content, context);
}

/** Readers look for a zip from the end of a file. A member of another archive is only opened as what it begins as. */
async function zipAnywhere(content: Content, context: ScanContext): Promise<boolean> {
  const mayBePrefixed = content.depth === 0 || !content.path.includes('/data/');
  if (!mayBePrefixed && content.source.read(0, 2).toString('latin1') !== 'PK') return false;
  return scanZip(content, context);
}
