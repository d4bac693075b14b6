import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Archives that the protocols are asked about, made by the official archivers; each a path. */
export interface Models {
  /** Model `speaker`, versions 1.0 and 2.0: models/speaker.py. */
  readonly speaker: string;
  readonly secondSpeaker: string;
  /** The same handler with a model-config.yaml. */
  readonly configured: string;
  readonly sequential: string;
  readonly unloadable: string;
  readonly open: string;
  readonly instances: string;
  /** A file that is no archive. */
  readonly broken: string;
  /** The first half of an archive. */
  readonly cutOff: string;
  /** A node of workflows: workflows/step.py. */
  readonly step: string;
  /** Of workflows/*.yaml, each with workflows/functions.py; `NAME.war`. */
  readonly workflowArchives: readonly string[];
}

export interface MakingModels {
  readonly root: string;
  readonly peerBin: string;
  /** An empty folder for what is made. */
  readonly folder: string;
}

/** Rejects with an archiver's output when it fails. */
export async function makeModels({ root, peerBin, folder }: MakingModels): Promise<Models> {
  const sources = join(root, 'test', 'conformance', 'models');
  const archive = async (
    name: string,
    handler: string,
    { version = '1.0', config }: { readonly version?: string; readonly config?: string } = {},
  ): Promise<string> => {
    const to = join(folder, `${name}-${version}`);
    // The archiver works in a folder named after the model alone: two versions at once take it from each other.
    const TMPDIR = join(to, 'tmp');
    mkdirSync(TMPDIR, { recursive: true });
    const configured = config === undefined ? [] : ['--config-file', join(sources, config)];
    const args = ['--model-name', name, '--version', version, '--handler', join(sources, handler), ...configured, '--export-path', to];
    await run(join(peerBin, 'torch-model-archiver'), args, { env: { ...process.env, TMPDIR } });
    const file = join(folder, version === '1.0' ? `${name}.mar` : `${name}-${version}.mar`);
    renameSync(join(to, `${name}.mar`), file);
    return file;
  };
  const [speaker, secondSpeaker, configured, sequential, unloadable, open, instances, step] = await Promise.all([
    archive('speaker', 'speaker.py'),
    archive('speaker', 'speaker.py', { version: '2.0' }),
    archive('configured', 'speaker.py', { config: 'configured.yaml' }),
    archive('sequential', 'speaker.py', { config: 'sequential.yaml' }),
    archive('unloadable', 'unloadable.py'),
    archive('open', 'open.py'),
    archive('instances', 'instances.py'),
    archive('step', '../workflows/step.py'),
  ]);
  const flows = join(root, 'test', 'conformance', 'workflows');
  // A file that editors and linters must not meet.
  const brokenSpec = join(folder, 'broken.yaml');
  writeFileSync(brokenSpec, 'models: [this, is: no: workflow\n');
  const specs = [brokenSpec, ...readdirSync(flows).flatMap((file) => (file.endsWith('.yaml') ? [join(flows, file)] : []))];
  const workflowArchives = await Promise.all(
    specs.map(async (spec) => {
      const name = basename(spec, '.yaml');
      const args = ['--workflow-name', name, '--spec-file', spec, '--handler', join(flows, 'functions.py'), '--export-path', folder];
      await run(join(peerBin, 'torch-workflow-archiver'), args);
      return join(folder, `${name}.war`);
    }),
  );
  const broken = join(folder, 'broken.mar');
  writeFileSync(broken, 'no archive at all');
  const cutOff = join(folder, 'cut-off.mar');
  const whole = readFileSync(speaker);
  writeFileSync(cutOff, whole.subarray(0, whole.length / 2));
  return { speaker, secondSpeaker, configured, sequential, unloadable, open, instances, broken, cutOff, step, workflowArchives };
}
