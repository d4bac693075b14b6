// Writes src/api/grpc-generated from proto/: message types and codecs by ts-proto, and the descriptors that server reflection hands out.
// `--check` compares instead, so that neither can fall behind.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const target = join(root, 'src', 'api', 'grpc-generated');
const PLUGIN = join(root, 'node_modules', '.bin', 'protoc-gen-ts_proto');
/** Files whose messages are those of another file in another package: reflection shows them, code is there once. */
const TWINS = ['proto/grpc_predict_v2.proto', 'proto/grpc/reflection/v1alpha/reflection.proto'];
const OPTIONS = {
  env: 'both',
  esModuleInterop: true,
  exportCommonSymbols: false,
  forceLong: 'bigint',
  importSuffix: '.js',
  oneof: 'unions-value',
  outputJsonMethods: false,
  outputPartialMethods: false,
  outputServices: 'generic-definitions',
  removeEnumPrefix: true,
  unrecognizedEnum: false,
  useMapType: true,
};

function buf(...args) {
  execFileSync(join(root, 'node_modules', '.bin', 'buf'), args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
}

function generate(folder) {
  const plugin = { local: PLUGIN, out: folder, opt: Object.entries(OPTIONS).map(([name, value]) => `${name}=${value}`) };
  const twins = TWINS.flatMap((file) => ['--exclude-path', file]);
  buf('generate', 'proto', ...twins, '--include-imports', '--include-wkt', '--template', JSON.stringify({ version: 'v2', plugins: [plugin] }));
  writeFileSync(join(folder, 'descriptors.ts'), descriptors());
}

/** A file's names as reflection is asked for them: messages, enums, services and methods, nested ones included. */
function symbolsOf({ package: prefix, messageType = [], enumType = [], service = [] }) {
  const inMessage = (outer, { name, nestedType = [], enumType: enums = [], options }) => {
    if (options?.mapEntry) return [];
    const full = `${outer}.${name}`;
    return [full, ...nestedType.flatMap((inner) => inMessage(full, inner)), ...enums.map((one) => `${full}.${one.name}`)];
  };
  return [
    ...messageType.flatMap((message) => inMessage(prefix, message)),
    ...enumType.map(({ name }) => `${prefix}.${name}`),
    ...service.flatMap(({ name, method }) => [`${prefix}.${name}`, ...method.map((one) => `${prefix}.${name}.${one.name}`)]),
  ];
}

function descriptors() {
  const folder = mkdtempSync(join(tmpdir(), 'grpc-descriptors-'));
  try {
    const image = (name, ...more) => {
      const file = join(folder, name);
      buf('build', 'proto', '--as-file-descriptor-set', '--exclude-source-info', '-o', file, ...more);
      return readFileSync(file);
    };
    const files = JSON.parse(image('all.json').toString()).file.filter(({ name }) => name !== 'google/rpc/error_details.proto');
    const bytes = splitSet(image('all.binpb'));
    const entries = files.map((file) => {
      const base64 = bytes.find((one) => one.includes(file.name) && one.indexOf(file.name) === 2).toString('base64');
      const lines = [
        `    name: '${file.name}',`,
        `    imports: [${(file.dependency ?? []).map((name) => `'${name}'`).join(', ')}],`,
        `    symbols: [\n${symbolsOf(file)
          .map((name) => `      '${name}',\n`)
          .join('')}    ],`,
        `    base64:\n      '${base64}',`,
      ];
      return `  {\n${lines.join('\n')}\n  },\n`;
    });
    return `// Made by scripts/make-grpc-code.mjs from proto/.

/** The .proto files as FileDescriptorProto bytes, each with what it imports and the names that it declares. */
export const DESCRIPTORS: readonly { readonly name: string; readonly imports: readonly string[]; readonly symbols: readonly string[]; readonly base64: string }[] = [
${entries.join('')}];
`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The files of a serialized FileDescriptorSet: field 1, length-delimited, again and again. */
function splitSet(set) {
  const files = [];
  for (let at = 0; at < set.length; ) {
    let length = 0;
    let shift = 0;
    at += 1;
    for (;;) {
      const byte = set[at];
      at += 1;
      length |= (byte & 0x7f) << shift;
      shift += 7;
      if (byte < 0x80) break;
    }
    files.push(set.subarray(at, at + length));
    at += length;
  }
  return files;
}

function textsOf(folder) {
  const files = readdirSync(folder, { withFileTypes: true, recursive: true }).filter((entry) => entry.isFile());
  const names = files.map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1)).sort();
  return names.map((name) => [name, readFileSync(join(folder, name), 'utf8')]);
}

if (process.argv.includes('--check')) {
  const fresh = mkdtempSync(join(tmpdir(), 'grpc-code-'));
  try {
    generate(fresh);
    if (JSON.stringify(textsOf(fresh)) !== JSON.stringify(textsOf(target))) {
      console.error('src/api/grpc-generated is not what proto/ gives: run node scripts/make-grpc-code.mjs');
      process.exitCode = 1;
    }
  } finally {
    rmSync(fresh, { recursive: true });
  }
} else {
  rmSync(target, { recursive: true, force: true });
  generate(target);
}
