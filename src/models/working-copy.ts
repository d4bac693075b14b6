import { randomBytes } from 'node:crypto';
import { constants, createWriteStream, existsSync } from 'node:fs';
import { chmod, copyFile, link, mkdir, readdir, realpath, stat, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { openFile, treeOf } from '../authenticity/tree-files.js';

/** Files above this size are linked to instead of copied: weights, which handlers read and don't write. */
const LINK_ABOVE_BYTES = 64 * 2 ** 20;

/**
 * A worker may be another user than the server and sees its model as a layer that it may write to: what it may change there is said by these. Nobody else
 * gets at the files: they lie in a folder of the server alone.
 */
const FOLDER_MODE = 0o777;
const FILE_MODE = 0o666;

/** Makes a fresh, empty folder for one registration. */
export async function workingFolder(workDirectory: string): Promise<string> {
  const folder = join(workDirectory, 'models', randomBytes(16).toString('hex'));
  await mkdir(folder, { recursive: true });
  await chmod(folder, FOLDER_MODE);
  return folder;
}

/**
 * Copies a cached tree, so that a handler may write into its folder, as it may under TorchServe, without spoiling the cache for the next start.
 * On file systems that can, the copies share their blocks.
 */
export async function copyTree(from: string, to: string): Promise<void> {
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const source = join(from, entry.name);
    const target = join(to, entry.name);
    if (entry.isDirectory()) {
      await mkdir(target);
      await chmod(target, FOLDER_MODE);
      await copyTree(source, target);
    } else if (entry.isFile()) {
      const { size } = await stat(source);
      if (size > LINK_ABOVE_BYTES) await symlink(source, target);
      else {
        await copyFile(source, target, constants.COPYFILE_FICLONE);
        await chmod(target, FILE_MODE);
      }
    }
  }
}

/**
 * Copies a folder that others may be writing to, so that what is checked from now on is what is served. Nothing is linked to and no link is followed; folders without files are left out. Rejects with
 * NotAuthentic for links, for devices and for more than `maxFiles`.
 */
export async function takeTree(from: string, to: string, maxFiles: number): Promise<void> {
  for (const path of (await treeOf(from, maxFiles)).files) {
    await mkdir(dirname(join(to, path)), { recursive: true });
    await takeFile(join(from, path), join(to, path));
  }
}

/** Copies the file that is opened, whatever its name leads to meanwhile. Rejects with NotAuthentic for what is no regular file. */
export async function takeFile(source: string, target: string): Promise<void> {
  const file = await openFile(source);
  try {
    const opened = `/proc/self/fd/${file.fd}`;
    // The kernel's copy can share blocks.
    if (existsSync(opened)) await copyFile(opened, target, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
    else await pipeline(file.createReadStream({ autoClose: false }), createWriteStream(target, { flags: 'wx', mode: 0o644 }));
  } finally {
    await file.close();
  }
}

/** Puts a file of the store into a working folder: a second name for it where the file system can, else a copy. */
export async function placeFile(source: string, target: string): Promise<void> {
  // A second name for a link would be a link too, and a relative one leads nowhere from here.
  const file = await realpath(source);
  await link(file, target).catch(() => copyFile(file, target, constants.COPYFILE_FICLONE));
}
