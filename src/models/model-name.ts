import { ArchiveInvalid } from '../errors/model.js';

const MAX_CHARS = 255;

/** TorchServe takes nearly any name; what cannot stand in a path or a log line is refused. Throws ArchiveInvalid. */
export function checkedModelName(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (name === '' || name.length > MAX_CHARS || /[\u0000-\u001f\u007f/\\]/.test(name) || name === '.' || name === '..')
    throw ArchiveInvalid({ message: `Model name is not valid: it must have 1 to ${MAX_CHARS} characters, none of them a slash or a control character.` });
  return name;
}

/** A version is a path segment of the APIs and stands in log lines too. Throws ArchiveInvalid. */
export function checkedModelVersion(version: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (version === '' || version.length > MAX_CHARS || /[\u0000-\u001f\u007f/\\]/.test(version))
    throw ArchiveInvalid({ message: `Model version is not valid: it must have 1 to ${MAX_CHARS} characters, none of them a slash or a control character.` });
  return version;
}

/** The name of an archive whose manifest gives none (contract 2.4): the base name without `.mar`/`.model`, odd characters as `_`; a tar.gz keeps its whole name. */
export function derivedModelName(url: string): string {
  const base = url.replace(/\/+$/, '').split('/').at(-1) ?? url;
  const stem = /\.(mar|model|onnx|pt)/.test(base) ? base.slice(0, base.lastIndexOf('.')) : base;
  return stem.replace(/(\W|^_)/g, '_');
}
