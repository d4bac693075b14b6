import { isNamed } from '../sandbox-policy.js';

const NAMES = new Set([
  'PATH',
  'LANG',
  'LANGUAGE',
  'TZ',
  'LD_LIBRARY_PATH',
  'LD_PRELOAD',
  'DYLD_LIBRARY_PATH',
  'NO_COLOR',
  'ORT_DISABLE_TELEMETRY',
  'ENABLE_TORCH_PROFILER',
  'ENABLE_TORCH_PROFILER_DIR',
]);
/** Settings of the loader, the interpreter and numerical libraries. */
const LIBRARY_SETTINGS =
  /^(LC_|PYTHON|OMP_|KMP_|GOMP_|MKL_|OPENBLAS_|BLIS_|NUMEXPR_|DNNL_|ONEDNN_|MALLOC_|TORCH|PYTORCH_|CUDA_|NVIDIA_|NCCL_|GLOO_|HIP_|ROCR_|HSA_|ZE_|SYCL_|TOKENIZERS_|TRANSFORMERS_OFFLINE|HF_HUB_OFFLINE)/;
/** Folders that a worker can't see are no help to it: it has its own. */
const PLACE = /_(DIR|HOME|PATH|PREFIX|USERBASE)$|^PYTHONUSERBASE$|^PYTHONPYCACHEPREFIX$/;
const SECRET = /TOKEN(?!IZERS)|SECRET|PASS|CREDENTIAL|_KEY|APIKEY/i;

/** What a sandboxed worker gets of the server's environment: settings of libraries, nothing that may be a secret, and what it is granted by name. */
export function visibleEnvironment(environment: Readonly<Record<string, string>>, granted: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => isNamed(name, granted) || (isSetting(name) && !SECRET.test(name))));
}

function isSetting(name: string): boolean {
  return NAMES.has(name) || (LIBRARY_SETTINGS.test(name) && !PLACE.test(name));
}
