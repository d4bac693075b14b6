import { DEFAULT_TENANT } from '../../inference/principal.js';
import type { Tenant } from '../../inference/tenant.js';
import type { RunnerSpec } from '../backend.js';
import type { SandboxRules } from '../sandbox-policy.js';
import type { PythonBackendOptions } from './python-options.js';
import { groupEnvironment, rankGroupOf } from './rank-group.js';
import { visibleEnvironment } from './visible-environment.js';

export interface WorkerEnvironment {
  readonly environment: Readonly<Record<string, string>>;
  /** In front of the interpreter's own search path; relative entries are meant from the model's directory. */
  readonly pythonPath: readonly string[];
}

/** What a worker finds in `os.environ` and at the front of `sys.path`, as TorchServe orders it. `rules` are those of its sandbox; undefined where it has none. */
export function workerEnvironment(options: PythonBackendOptions, { model, device }: RunnerSpec, rules?: SandboxRules): WorkerEnvironment {
  const { sequenceHeaders, metricsConfigPath } = options;
  const environment = rules === undefined ? options.environment : visibleEnvironment(options.environment, rules.environment);
  const pythonPath = [
    ...handlerFolder(model.handler),
    ...options.inheritedPythonPath.split(':').filter((entry) => entry !== ''),
    model.directory,
    ...(model.python?.packages === undefined ? [] : [model.python.packages]),
    ...(model.linkParent === undefined ? [] : [model.linkParent]),
    options.pythonHome,
  ];
  return {
    environment: {
      ...environment,
      TS_DECODE_INPUT_REQUEST: String(options.decodeInputRequest),
      TS_IPEX_ENABLE: String(options.ipexEnable),
      TS_IPEX_GPU_ENABLE: String(options.ipexGpuEnable),
      TS_REQUEST_SEQUENCE_ID: sequenceHeaders.id,
      TS_REQUEST_SEQUENCE_START: sequenceHeaders.start,
      TS_REQUEST_SEQUENCE_END: sequenceHeaders.end,
      ...(metricsConfigPath === undefined ? {} : { TS_METRICS_CONFIG: metricsConfigPath }),
      ...(device.kind === 'gpu' && device.visible !== undefined ? options.showDevices(device.visible) : {}),
      ...apart(model.tenant, device),
      ...(rankGroupOf(model.config) === undefined ? {} : groupEnvironment(model.config, environment)),
      PYTHONPATH: pythonPath.join(':'),
    },
    pythonPath,
  };
}

/** What keeps a tenant's workers from the GPUs of others. A daemon through which processes share a GPU (CUDA MPS) is the operator's own. */
function apart(tenant: Tenant | undefined, device: RunnerSpec['device']): Readonly<Record<string, string>> {
  if (tenant === undefined) return {};
  const isShown = device.kind === 'gpu' && device.visible !== undefined;
  return {
    ...(tenant.name === DEFAULT_TENANT ? {} : { CUDA_MPS_PIPE_DIRECTORY: '/nonexistent' }),
    // As nvidia-smi counts them, and as their device files are told apart.
    ...(isShown ? { CUDA_DEVICE_ORDER: 'PCI_BUS_ID' } : {}),
  };
}

/** TorchServe adds a handler's folder only where the handler names a function; for a bare file it adds the file's own name, which does no harm. */
export function handlerFolder(handler: string | undefined): readonly string[] {
  const colon = handler?.indexOf(':') ?? -1;
  if (handler === undefined || colon < 0) return [];
  const path = handler.slice(0, colon);
  const slash = path.lastIndexOf('/');
  return [slash < 0 ? path : path.slice(0, slash)];
}

/** Where it finds the user's own packages and puts temporary files. The rest are settings that libraries read once: when the parent imports them. */
const PARENT_NEEDS = ['HOME', 'USER', 'TMPDIR', 'TEMP', 'TMP'];

/** The parent's whole environment. Only what it needs: a forked worker can read this block for ever, whatever is removed later. */
export function parentEnvironment({ environment, inheritedPythonPath, pythonHome }: PythonBackendOptions): Readonly<Record<string, string>> {
  return {
    ...visibleEnvironment(environment, PARENT_NEEDS),
    PYTHONPATH: inheritedPythonPath === '' ? pythonHome : `${pythonHome}:${inheritedPythonPath}`,
  };
}
