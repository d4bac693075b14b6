// What package-lock.json may hold: packages of the registry, each with its hash, none that comes from elsewhere, none that runs something when it is installed.

/** Packages that have an install script, which .npmrc keeps from running: they work without it. */
const WORK_WITHOUT_SCRIPT = new Set(['@bufbuild/buf', 'esbuild', 'onnxruntime-node', 'protobufjs', 'fsevents', 'unrs-resolver']);

/** One line for each package that breaks a rule. `lock` is the parsed lock file; `manifest` the parsed package.json. */
export function lockfileFindings(lock, manifest) {
  const found = [];
  if (lock.lockfileVersion !== 3) found.push(`the lock file has version ${lock.lockfileVersion}, not 3`);
  for (const [path, entry] of Object.entries(lock.packages)) {
    if (path === '') continue;
    const name = path.split('node_modules/').at(-1);
    if (entry.link) found.push(`${name} is a link to ${entry.resolved}`);
    if (!/^sha512-[A-Za-z0-9+/]{86}==$/.test(entry.integrity ?? '')) found.push(`${name} has no SHA-512 hash`);
    // .npmrc leaves the addresses of the registry out: whatever stands here is another source.
    if (entry.resolved !== undefined) found.push(`${name} comes from ${entry.resolved}`);
    if (entry.hasInstallScript && !WORK_WITHOUT_SCRIPT.has(name)) found.push(`${name} runs a script when it is installed`);
  }
  for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies }))
    if (!/^\d+\.\d+\.\d+$/.test(version)) found.push(`${name} is wanted as "${version}", which is no exact version`);
  for (const script of ['preinstall', 'install', 'postinstall', 'prepare', 'prepublish'])
    if (manifest.scripts?.[script] !== undefined) found.push(`package.json has the script ${script}, which runs where the package is installed`);
  return found;
}
