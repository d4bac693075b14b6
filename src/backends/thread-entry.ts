/** The compiled entry of a worker thread that lies beside the module `moduleUrl`: also when that module itself runs from its TypeScript source, as under test. */
export function threadEntry(moduleUrl: string, name: string): URL {
  if (!moduleUrl.endsWith('.ts')) return new URL(`./${name}.js`, moduleUrl);
  const at = moduleUrl.lastIndexOf('/src/');
  return new URL(`./${name}.js`, `${moduleUrl.slice(0, at)}/dist/${moduleUrl.slice(at + '/src/'.length)}`);
}
