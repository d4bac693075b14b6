import { createHash } from 'node:crypto';
import type { FileDigest } from '../authenticity/digest-thread.js';
import type { ServableModel } from '../inference/servable-model.js';
import { requirementLines, withoutSecrets } from './environment/requirements.js';

/** A Python package that is installed for the model. */
export interface InstalledPackage {
  readonly name: string;
  readonly version: string;
}

export interface BillInputs {
  readonly model: Pick<ServableModel, 'name' | 'version' | 'backend' | 'handler' | 'runtime' | 'contentHash' | 'signature'>;
  readonly files: readonly FileDigest[];
  /** Text of the requirements file; '' where there is none. */
  readonly requirements: string;
  /** What was installed for it alone; empty where nothing was. */
  readonly installed: readonly InstalledPackage[];
  /** Of Sconce. */
  readonly toolVersion: string;
}

interface Component {
  readonly type: 'file' | 'library' | 'machine-learning-model';
  readonly 'bom-ref': string;
  readonly name: string;
  readonly version?: string;
  readonly purl?: string;
  readonly hashes?: readonly { readonly alg: 'SHA-256'; readonly content: string }[];
  readonly properties?: readonly Property[];
}

interface Property {
  readonly name: string;
  readonly value: string;
}

const NAMED = /^([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?) ?(?:\[[^\]]*\])? ?(.*)$/;
const PINNED = /^===? ?([\w.!+-]+)(?:\s*[;#]|\s*--|$)/;

/**
 * What a model consists of, as CycloneDX 1.6: each file with its hash, each requirement with the version that is pinned or installed, the handler, and the signer. The same model gives the same
 * document.
 */
export function billOfMaterials({ model, files, requirements, installed, toolVersion }: BillInputs): Readonly<Record<string, unknown>> {
  const libraries = librariesOf(requirements, installed);
  const parts: readonly Component[] = [...files.map(fileComponent), ...libraries];
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidOf(JSON.stringify([model.name, model.version, parts]))}`,
    version: 1,
    metadata: {
      tools: { components: [{ type: 'application', name: 'sconce', version: toolVersion }] },
      component: modelComponent(model),
    },
    components: parts,
    dependencies: [{ ref: 'model', dependsOn: parts.map((part) => part['bom-ref']) }],
  };
}

function modelComponent({ name, version, backend, handler, runtime, contentHash, signature }: BillInputs['model']): Component {
  const { state, signer, identity, subject } = signature ?? {};
  const told: Readonly<Record<string, string | undefined>> = {
    'sconce:backend': backend,
    'sconce:runtime': runtime,
    'sconce:handler': handler,
    'sconce:signature': state,
    'sconce:signer': signer,
    'sconce:signer:identity': identity,
    'sconce:signature:subject': subject,
  };
  const properties = Object.entries(told).flatMap(([key, value]): Property[] => (value === undefined ? [] : [{ name: key, value }]));
  return { type: 'machine-learning-model', 'bom-ref': 'model', name, version, hashes: [{ alg: 'SHA-256', content: contentHash }], properties };
}

function fileComponent({ path, sizeBytes, sha256 }: FileDigest): Component {
  return {
    type: 'file',
    'bom-ref': `file:${path}`,
    name: path,
    hashes: [{ alg: 'SHA-256', content: sha256 }],
    properties: [{ name: 'sconce:bytes', value: String(sizeBytes) }],
  };
}

/** Each requirement once, then what was installed beside it for it. A line that names no package stands as it is written. */
function librariesOf(requirements: string, installed: readonly InstalledPackage[]): readonly Component[] {
  const found = new Map<string, Component>();
  const versions = new Map(installed.map(({ name, version }) => [normalized(name), version]));
  for (const line of requirementLines(withoutSecrets(requirements))) {
    if (line.startsWith('-')) continue;
    const [, name = line, rest = ''] = NAMED.exec(line) ?? [];
    const key = normalized(name);
    if (found.has(key)) continue;
    found.set(key, library(name, versions.get(key) ?? PINNED.exec(rest)?.[1], line));
  }
  for (const { name, version } of installed) if (!found.has(normalized(name))) found.set(normalized(name), library(name, version, undefined));
  return [...found.values()];
}

function library(name: string, version: string | undefined, requirement: string | undefined): Component {
  const key = normalized(name);
  const at = version === undefined ? '' : `@${encodeURIComponent(version)}`;
  return {
    type: 'library',
    'bom-ref': `pypi:${key}`,
    name,
    ...(version === undefined ? {} : { version }),
    ...(/^[a-z0-9-]+$/.test(key) ? { purl: `pkg:pypi/${key}${at}` } : {}),
    ...(requirement === undefined ? {} : { properties: [{ name: 'sconce:requirement', value: requirement }] }),
  };
}

/** As PyPI compares names. */
function normalized(name: string): string {
  return name.replace(/[-_.]+/g, '-').toLowerCase();
}

/** A UUID of the kind that is made of a hash. */
function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  const variant = ((Number.parseInt(hex[16] ?? '0', 16) & 3) | 8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
