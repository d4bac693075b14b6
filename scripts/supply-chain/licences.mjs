// Which licences may come with Sconce. What a user installs is stricter than what only builds and tests it.
const PERMISSIVE = new Set(['MIT', 'MIT-0', 'Apache-2.0', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD', 'BlueOak-1.0.0', 'CC0-1.0', 'Zlib', 'Python-2.0']);
const FOR_TOOLS = new Set([...PERMISSIVE, 'MPL-2.0', 'CC-BY-4.0']);
/** libvips, which sharp links to at run time as a library of its own: what the LGPL asks for. */
const LINKED = /^@img\/sharp-/;

/** One line for each package of the parsed lock file whose licence is not on the list. An expression is on it if one side of each OR, and both of each AND, are. */
export function licenceFindings(lock) {
  return Object.entries(lock.packages).flatMap(([path, { license, dev }]) => {
    if (path === '') return [];
    const name = path.split('node_modules/').at(-1);
    const allowed = LINKED.test(name) ? new Set([...PERMISSIVE, 'LGPL-3.0-or-later']) : dev ? FOR_TOOLS : PERMISSIVE;
    return isAllowed(license ?? '', allowed) ? [] : [`${name} is licensed as "${license ?? 'nothing'}"`];
  });
}

function isAllowed(expression, allowed) {
  const bare = expression.trim().replace(/^\((.*)\)$/, '$1');
  if (bare.includes(' OR ')) return bare.split(' OR ').some((part) => isAllowed(part, allowed));
  return bare.split(' AND ').every((part) => allowed.has(part.trim()));
}
