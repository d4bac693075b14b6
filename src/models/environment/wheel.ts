import { promisify } from 'node:util';
import yauzl, { type Entry, type ZipFile } from 'yauzl';

const METADATA = /\.dist-info\/(?:METADATA|PKG-INFO)$/i;
const MAX_METADATA_BYTES = 4 * 2 ** 20;
const MAX_ENTRIES = 100_000;

/**
 * The packages that a wheel says it requires, a line each (https://packaging.python.org/specifications/core-metadata). All that could be taken for its
 * metadata counts: which of several is read is the installer's choice. Rejects where it is no zip, or one that reads in two ways.
 */
export async function requiredByWheel(file: string): Promise<readonly string[]> {
  const open = promisify<string, yauzl.Options, ZipFile>(yauzl.open);
  const zip = await open(file, { lazyEntries: true, autoClose: false, validateEntrySizes: true });
  try {
    const entries = (await entriesOf(zip)).filter(({ fileName }) => METADATA.test(fileName));
    const texts: string[] = [];
    for (const entry of entries) texts.push(await textOf(zip, entry));
    return texts.flatMap(required);
  } finally {
    zip.close();
  }
}

function entriesOf(zip: ZipFile): Promise<readonly Entry[]> {
  return new Promise((resolve, reject) => {
    const entries: Entry[] = [];
    zip.on('error', reject);
    zip.on('end', () => resolve(entries));
    zip.on('entry', (entry: Entry) => {
      entries.push(entry);
      if (entries.length > MAX_ENTRIES) reject(new Error(`more than ${MAX_ENTRIES} entries`));
      else zip.readEntry();
    });
    zip.readEntry();
  });
}

async function textOf(zip: ZipFile, entry: Entry): Promise<string> {
  if (entry.uncompressedSize > MAX_METADATA_BYTES) throw new Error(`${entry.fileName} is too long`);
  const stream = await promisify<Entry, NodeJS.ReadableStream>(zip.openReadStream.bind(zip))(entry);
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString();
}

/** Fields may go on in the next line, which begins with a blank then. */
function required(metadata: string): readonly string[] {
  const fields = metadata.replace(/(?:\r\n|[\r\n])[ \t]+/g, ' ').split(/[\r\n]+/);
  return fields.flatMap((field) => /^requires-dist\s*:(.*)$/i.exec(field)?.[1]?.trim() ?? []);
}
