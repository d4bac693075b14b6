import type { Settings } from './settings.js';

/** What the report tells beyond the settings. */
export interface StartFacts {
  readonly version: string;
  readonly home: string;
  readonly currentDirectory: string;
  readonly tempDirectory: string;
  readonly gpus: number;
  readonly cpus: number;
  readonly heapMib: number;
  readonly python: string;
  /** `load_models`, without the secrets of URLs. */
  readonly initialModels: string | undefined;
  readonly logFolder: string;
  readonly metricsFolder: string;
  readonly defaultWorkers: number;
}

/** TorchServe's dump of its configuration at start: the same labels in the same order, as one event of many lines. */
export function startReport(settings: Settings, facts: StartFacts): string {
  const rows: readonly (readonly [string, unknown])[] = [
    ['Torchserve version', facts.version],
    ['TS Home', facts.home],
    ['Current directory', facts.currentDirectory],
    ['Temp directory', facts.tempDirectory],
    ['Metrics config path', settings.metricsConfig ?? 'built-in'],
    ['Number of GPUs', facts.gpus],
    ['Number of CPUs', facts.cpus],
    ['Max heap size', `${facts.heapMib} M`],
    ['Python executable', facts.python],
    ['Config file', settings.configFile ?? 'N/A'],
    ['Inference address', settings.inferenceAddress.text],
    ['Management address', settings.managementAddress.text],
    ['Metrics address', settings.metricsAddress.text],
    ['Model Store', settings.modelStore ?? 'N/A'],
    ['Initial Models', facts.initialModels ?? 'N/A'],
    ['Log dir', facts.logFolder],
    ['Metrics dir', facts.metricsFolder],
    ['Netty threads', settings.numberOfNettyThreads],
    ['Netty client threads', settings.nettyClientThreads],
    ['Default workers per model', facts.defaultWorkers],
    ['Blacklist Regex', settings.sources.get('blacklist_env_vars')?.text || 'N/A'],
    ['Maximum Response Size', settings.maxResponseBytes],
    ['Maximum Request Size', settings.maxRequestBytes],
    ['Limit Maximum Image Pixels', settings.limitMaxImagePixels],
    ['Prefer direct buffer', settings.preferDirectBuffer],
    ['Allowed Urls', `[${settings.allowedUrls.join(', ')}]`],
    ['Custom python dependency for model allowed', settings.installPyDepPerModel],
    ['Enable metrics API', settings.enableMetricsApi],
    ['Metrics mode', settings.metricsMode.toUpperCase()],
    ['Disable system metrics', settings.disableSystemMetrics],
    ['Workflow Store', settings.workflowStore ?? settings.modelStore ?? 'N/A'],
    ['CPP log config', settings.cppLogConfig ?? 'N/A'],
    ['Model config', settings.models ?? 'N/A'],
    ['System metrics command', settings.systemMetricsCmd || 'default'],
    ['Model API enabled', settings.enableModelApi],
  ];
  return ['', ...rows.map(([label, value]) => `${label}: ${String(value)}`)].join('\n');
}
