import { LoadFailed } from '../../errors/backend.js';
import { tenantNameOf } from '../../inference/tenant.js';
import type { RunnerSpec } from '../backend.js';
import type { HostedProgram } from '../hosted-program.js';
import type { SandboxRules } from '../sandbox-policy.js';
import { Enclosure } from './enclosure.js';
import { nodeReads, nodeWords } from './node-program.js';
import type { ForkOrder } from './parent.js';
import type { PythonBackendOptions } from './python-options.js';
import { isOneMachine, type RankGroup, torchrunArguments } from './rank-group.js';
import { visibleEnvironment } from './visible-environment.js';
import { type WorkerEnvironment, workerEnvironment } from './worker-environment.js';

/** What the gateway adds to a model's and the server's wishes. */
type Given = Pick<ForkOrder, 'worker' | 'nonce' | 'socket_path' | 'limits'> & {
  readonly group: RankGroup | undefined;
  readonly ownRoots: boolean;
  /** What becomes the worker, if it isn't Python. */
  readonly program: HostedProgram | undefined;
};

export interface OrderedWorker {
  readonly order: ForkOrder;
  /** undefined: the worker has all rights of the server. */
  readonly enclosure: Enclosure | undefined;
}

/** Everything a parent needs to make one worker, and its place, which the caller gives back when the worker has ended. */
export async function orderWorker(spec: RunnerSpec, options: PythonBackendOptions, { group, ownRoots, program, ...given }: Given): Promise<OrderedWorker> {
  const rules = options.sandbox?.policy.of(spec.model.name);
  const launch = group === undefined ? [] : torchrunArguments(spec, group.size, rules === undefined || rules.level === 'off' ? options.logFolder : '/tmp');
  if (group !== undefined && isHeldBack(spec, rules)) {
    const grant = JSON.stringify({ [spec.model.name]: { network: true } });
    throw LoadFailed({ status: 500, message: `A group over several machines needs the network: permit it with sconce_grants=${grant}` });
  }
  const enclosure = await enclose(spec, options, { ...given, group, ownRoots, program });
  const directory = enclosure?.directory ?? spec.model.directory;
  const moved = { ...spec, model: { ...spec.model, directory } };
  const { environment, pythonPath } = environmentOf(program, options, moved, enclosure === undefined ? undefined : rules);
  const order: ForkOrder = {
    ...given,
    title: `model_service_worker.py ${spec.workerName}`,
    environment,
    python_path: pythonPath,
    directory,
    cores: spec.share.cores ?? [],
    tenant: options.confinement.tenants?.get(tenantNameOf(spec.model.tenant))?.name ?? '',
    launch,
    program: program === undefined ? [] : nodeWords(program, spec.workerName),
    ranks: group?.size ?? 0,
    enclosure: enclosure?.wish,
  };
  return { order, enclosure };
}

function isHeldBack({ model }: RunnerSpec, rules: SandboxRules | undefined): boolean {
  return rules !== undefined && rules.level !== 'off' && !rules.network && !isOneMachine(model.config);
}

function environmentOf(
  program: HostedProgram | undefined,
  options: PythonBackendOptions,
  spec: RunnerSpec,
  rules: SandboxRules | undefined,
): WorkerEnvironment {
  if (program === undefined) return workerEnvironment(options, spec, rules);
  const { environment } = program;
  return { environment: rules === undefined ? environment : visibleEnvironment(environment, rules.environment), pythonPath: [] };
}

async function enclose(
  { model, device }: RunnerSpec,
  { sandbox, runDirectory, inheritedPythonPath, metricsConfigPath }: PythonBackendOptions,
  { worker, limits, group, ownRoots, program }: Given,
): Promise<Enclosure | undefined> {
  const rules = sandbox?.policy.of(model.name);
  if (sandbox === undefined || rules === undefined || rules.level === 'off') return undefined;
  return Enclosure.make(sandbox, {
    model,
    rules,
    isGroup: group !== undefined,
    onGpu: device.kind === 'gpu',
    onlyGpus: device.kind === 'gpu' && model.tenant !== undefined ? device.visible : undefined,
    memoryBytes: limits.memoryBytes,
    reads:
      program === undefined
        ? [...inheritedPythonPath.split(':'), metricsConfigPath ?? '', model.python?.packages ?? ''].filter((path) => path.startsWith('/'))
        : nodeReads(program),
    ownRoots,
    runDirectory,
    key: worker,
  });
}
