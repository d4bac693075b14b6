import { promisify } from 'node:util';
import yauzl, { type Entry, type ZipFile } from 'yauzl';

/** Whether a file is TorchScript: a zip whose members include compiled code's constants. Any other file is not. */
export async function isTorchScript(file: string): Promise<boolean> {
  const open = promisify<string, yauzl.Options, ZipFile>(yauzl.open);
  let zip: ZipFile;
  try {
    zip = await open(file, { lazyEntries: true, autoClose: true });
  } catch {
    // No zip: an older state dictionary, or no file of PyTorch's at all.
    return false;
  }
  return new Promise((resolve) => {
    const found = (is: boolean) => {
      zip.close();
      resolve(is);
    };
    zip.on('error', () => found(false));
    zip.on('end', () => found(false));
    zip.on('entry', (entry: Entry) => (entry.fileName.endsWith('/constants.pkl') ? found(true) : zip.readEntry()));
    zip.readEntry();
  });
}
