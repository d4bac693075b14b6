import { grantsByModel, ISOLATIONS, SANDBOX_LEVELS } from './grants.js';
import {
  boolean,
  hostNames,
  integer,
  integerRange,
  longInteger,
  namedPaths,
  oneOf,
  positiveNumber,
  regularExpression,
  regularExpressions,
  type SettingType,
  someOf,
  text,
  texts,
} from './setting-types.js';

/** One key of config.properties. */
export interface KeySpec<T> {
  readonly key: string;
  readonly type: SettingType<T>;
  /** As it would stand in the file; undefined: unset. */
  readonly fallback: string | undefined;
  /** Environment variable that overrides it under `enable_envvars_config`; undefined: none. */
  readonly env: string | undefined;
  readonly says: string;
  /** Why the key does nothing here, for keys of the Java server. */
  readonly ignored?: string;
  /** Masked when it is printed. */
  readonly secret?: boolean;
}

function key<T>(name: string, type: SettingType<T>, fallback: string | undefined, says: string, more: Partial<KeySpec<T>> = {}): KeySpec<T> {
  return { key: name, type, fallback, env: `TS_${name.toUpperCase()}`, says, ...more };
}

const noEnv = { env: undefined };
const java = (why: string) => ({ ignored: why });
const THREADS = 'one event loop serves all sockets';
const FOREVER = '9223372036854775807';

/** Every key of TorchServe 0.12 and Sconce's own, in the order in which `sconce config` prints them. */
const KEYS = {
  inferenceAddress: key('inference_address', text, 'http://127.0.0.1:8080', 'Where the inference API listens.'),
  managementAddress: key(
    'management_address',
    text,
    'http://127.0.0.1:8081',
    'Where the management API listens; the same value as inference_address gives one listener for both.',
  ),
  metricsAddress: key('metrics_address', text, 'http://127.0.0.1:8082', 'Where the metrics API listens.'),
  grpcInferenceAddress: key('grpc_inference_address', text, '127.0.0.1', 'Host of the gRPC inference API.'),
  grpcManagementAddress: key('grpc_management_address', text, '127.0.0.1', 'Host of the gRPC management API.'),
  grpcInferencePort: key('grpc_inference_port', integer(0, 65_535), '7070', 'Port of the gRPC inference API.'),
  grpcManagementPort: key('grpc_management_port', integer(0, 65_535), '7071', 'Port of the gRPC management API.'),
  grpcInferenceMaxConnectionAgeMs: key('grpc_inference_max_connection_age_ms', longInteger, FOREVER, 'Longest life of a gRPC inference connection, ms.'),
  grpcInferenceMaxConnectionAgeGraceMs: key('grpc_inference_max_connection_age_grace_ms', longInteger, FOREVER, 'What such a connection gets to finish, ms.'),
  grpcManagementMaxConnectionAgeMs: key('grpc_management_max_connection_age_ms', longInteger, FOREVER, 'Longest life of a gRPC management connection, ms.'),
  grpcManagementMaxConnectionAgeGraceMs: key('grpc_management_max_connection_age_grace_ms', longInteger, FOREVER, 'What such a connection gets to finish, ms.'),
  enableGrpcSsl: key('enable_grpc_ssl', boolean, 'false', 'TLS on both gRPC ports, with the key material of the https addresses.'),
  keystore: key('keystore', text, undefined, 'Key store with the TLS key; beats private_key_file.'),
  keystorePass: key('keystore_pass', text, 'changeit', 'Password of the key store.', { secret: true }),
  keystoreType: key('keystore_type', text, 'PKCS12', 'Kind of the key store: PKCS12 or JKS.'),
  privateKeyFile: key('private_key_file', text, undefined, 'PEM file of the TLS key.'),
  certificateFile: key('certificate_file', text, undefined, 'PEM file of the TLS certificate chain.'),
  corsAllowedOrigin: key('cors_allowed_origin', text, undefined, 'Value of access-control-allow-origin on every answer.'),
  corsAllowedMethods: key('cors_allowed_methods', text, undefined, 'Value of access-control-allow-methods.'),
  corsAllowedHeaders: key('cors_allowed_headers', text, undefined, 'Value of access-control-allow-headers.'),
  modelStore: key('model_store', text, undefined, 'Folder of the archives.'),
  workflowStore: key('workflow_store', text, undefined, 'Folder of the workflow archives; the model store unless set.'),
  loadModels: key('load_models', text, undefined, 'Models to load at start: `all`, or a list of `name=location` or `location`.'),
  models: key('models', text, undefined, 'JSON of settings by model and version.', noEnv),
  modelSnapshot: key('model_snapshot', text, undefined, 'JSON of the models to serve, as a snapshot holds it; load_models is ignored then.', noEnv),
  defaultWorkersPerModel: key('default_workers_per_model', integer(0), '0', 'Workers of a model that says nothing; 0: one per GPU, else one per CPU.'),
  defaultResponseTimeoutS: key('default_response_timeout', integer(0), '120', 'Seconds a worker may take for a batch.'),
  defaultStartupTimeoutS: key('default_startup_timeout', integer(0), '120', 'Seconds a worker may take to load.'),
  unregisterModelTimeoutS: key('unregister_model_timeout', integer(0), '120', 'Seconds workers get to end when a model is unregistered.'),
  jobQueueSize: key('job_queue_size', integer(1), '100', 'Requests that may wait, per model version.'),
  numberOfGpu: key('number_of_gpu', integer(0), undefined, 'GPUs to use, at most as many as there are.'),
  numberOfNettyThreads: key('number_of_netty_threads', integer(0), '0', 'Threads of the Java server.', java(THREADS)),
  nettyClientThreads: key('netty_client_threads', integer(0), '0', 'Threads of the Java server.', java(THREADS)),
  maxRequestBytes: key('max_request_size', integer(0), '6553500', 'Longest body of a request, and longest gRPC message, bytes.'),
  maxResponseBytes: key('max_response_size', integer(0), '6553500', 'Longest body of one prediction, bytes.'),
  limitMaxImagePixels: key('limit_max_image_pixels', boolean, 'true', "Keep PIL's limit on the pixels of an image."),
  decodeInputRequest: key('decode_input_request', boolean, 'true', 'Give handlers JSON and text decoded.'),
  defaultServiceHandler: key('default_service_handler', text, undefined, 'Handler of archives that name none.'),
  serviceEnvelope: key('service_envelope', text, undefined, 'Envelope of every Python handler.'),
  installPyDepPerModel: key('install_py_dep_per_model', boolean, 'false', "Install an archive's requirements when it is registered."),
  blacklistEnvVars: key('blacklist_env_vars', regularExpression, '', 'Names of environment variables that workers must not see.'),
  preferDirectBuffer: key('prefer_direct_buffer', boolean, 'false', 'Memory of the Java server.', java('there is no Java heap')),
  asyncLogging: key('async_logging', boolean, 'false', 'Logging of the Java server.', java('log lines are always written in blocks')),
  allowedUrls: key('allowed_urls', regularExpressions, 'file://.*|http(s)?://.*', 'Regular expressions of URLs that models may come from.'),
  useEnvAllowedUrls: key('use_env_allowed_urls', boolean, 'false', 'Let TS_ALLOWED_URLS override allowed_urls.', noEnv),
  enableEnvvarsConfig: key('enable_envvars_config', boolean, 'false', 'Let TS_* variables override this file.', noEnv),
  enableMetricsApi: key('enable_metrics_api', boolean, 'true', 'Serve the metrics API.'),
  metricsMode: key('metrics_mode', oneOf('log', 'prometheus', 'legacy'), 'log', 'Where metrics go.'),
  metricsConfig: key('metrics_config', text, undefined, 'A metrics.yaml in place of the built-in one.'),
  modelMetricsAutoDetect: key('model_metrics_auto_detect', boolean, 'false', 'Accept metrics of handlers that metrics.yaml does not name.'),
  disableSystemMetrics: key('disable_system_metrics', boolean, 'false', 'Do not measure the host.'),
  systemMetricsCmd: key('system_metrics_cmd', text, '', 'Collector of the Java server.', { ...noEnv, ...java('the host is measured in-process') }),
  metricTimeIntervalS: key('metric_time_interval', integer(1), '60', 'Seconds between measurements of the host.', noEnv),
  initialWorkerPort: key('initial_worker_port', integer(0, 65_535), '9000', 'Number of the first worker.'),
  initialDistributionPort: key(
    'initial_distribution_port',
    integer(0, 65_535),
    '29500',
    'First worker number of parallel models; each takes as many numbers as it has ranks.',
  ),
  debug: key('debug', boolean, 'false', 'Time-outs without end, one worker per model.'),
  ipexEnable: key('ipex_enable', boolean, 'false', 'TS_IPEX_ENABLE of workers.'),
  ipexGpuEnable: key('ipex_gpu_enable', boolean, 'false', 'TS_IPEX_GPU_ENABLE of workers.'),
  cpuLauncherEnable: key(
    'cpu_launcher_enable',
    boolean,
    'false',
    'Bind Python workers to processor cores: an equal share of the physical cores each, or what cpu_launcher_args says.',
  ),
  cpuLauncherArgs: key('cpu_launcher_args', text, undefined, "How to share the cores out: options of PyTorch's torch.backends.xeon.run_cpu."),
  cppLogConfig: key('cpp_log_config', text, undefined, 'Log configuration of the C++ worker.', java('there is no C++ worker')),
  openInferenceProtocol: key(
    'ts_open_inference_protocol',
    boolean,
    'false',
    'Serve the Open Inference Protocol: KServe v2 whole, and the list and readiness of KServe v1.',
    { env: 'TS_OPEN_INFERENCE_PROTOCOL' },
  ),
  tokenExpirationMin: key('token_expiration_min', positiveNumber, '60', 'Minutes that a token lives.', { env: 'TS_TOKEN_EXPIRATION_TIME_MIN' }),
  disableTokenAuthorization: key('disable_token_authorization', boolean, 'false', 'Serve without tokens.'),
  enableModelApi: key('enable_model_api', boolean, 'false', 'Let models be registered and unregistered over the API.'),
  headerKeySequenceId: key('ts_header_key_sequence_id', text, 'ts_request_sequence_id', 'Header of the sequence id.', { env: 'TS_HEADER_KEY_SEQUENCE_ID' }),
  headerKeySequenceStart: key('ts_header_key_sequence_start', text, 'ts_request_sequence_start', 'Header that starts a sequence.', {
    env: 'TS_HEADER_KEY_SEQUENCE_START',
  }),
  headerKeySequenceEnd: key('ts_header_key_sequence_end', text, 'ts_request_sequence_end', 'Header that ends a sequence.', {
    env: 'TS_HEADER_KEY_SEQUENCE_END',
  }),
  modelServerHome: key('model_server_home', text, undefined, 'Home of the Java server.', java('the server finds its own files')),
  python: key('python', text, undefined, 'Interpreter of Python workers.', noEnv),
  useNativeIo: key('use_native_io', boolean, 'true', 'Sockets of the Java server.', { ...noEnv, ...java('Unix sockets are always available') }),
  ioRatio: key('io_ratio', integer(0, 100), '50', 'Threads of the Java server.', { ...noEnv, ...java(THREADS) }),
  version: key('version', text, undefined, 'Version shown by the API description.', noEnv),
  vmargs: key('vmargs', text, undefined, 'Arguments of the Java machine.', { ...noEnv, ...java('there is no Java machine') }),
  pluginsPath: key('plugins_path', text, undefined, 'Plug-ins of the Java server.', { ...noEnv, ...java('Java plug-ins cannot be loaded') }),
  numWorkers: key('NUM_WORKERS', integer(0), '1', 'Read by a Java plug-in.', { ...noEnv, ...java('Java plug-ins cannot be loaded') }),
  tsConfigFile: key('tsConfigFile', text, undefined, 'Written into snapshots: the config file that the server was started with.', noEnv),
  security: key(
    'sconce_security',
    oneOf('standard', 'strict'),
    'standard',
    'What a protection that this machine cannot give leads to: `standard` warns and serves on, `strict` refuses.',
    { env: 'SCONCE_SECURITY' },
  ),
  signatures: key(
    'sconce_signatures',
    oneOf('off', 'warn', 'require'),
    undefined,
    'What becomes of a model whose signature the trust policy does not bear out: `require` refuses it, `warn` serves it with a warning, `off` does not look. Unset: `require` where there is a trust policy, else `off`.',
    { env: 'SCONCE_SIGNATURES' },
  ),
  trustPolicy: key('sconce_trust_policy', text, undefined, 'YAML file of the signers that are trusted, and with which models.', {
    env: 'SCONCE_TRUST_POLICY',
  }),
  authStatus: key(
    'sconce_auth_status',
    oneOf('400', '401'),
    '400',
    "Status of a call without a valid token: TorchServe's 400, or 401, and 403 for a token that is good for other things.",
    { env: 'SCONCE_AUTH_STATUS' },
  ),
  compatKeys: key('sconce_compat_keys', boolean, 'false', "Keys of TorchServe's 8 characters (48 bits) in key_file.json; they have 22 (128 bits) unless set.", {
    env: 'SCONCE_COMPAT_KEYS',
  }),
  tokensFile: key('sconce_tokens_file', text, 'sconce_tokens.json', 'Named tokens, as `sconce token` writes them; read anew whenever it changes.', {
    env: 'SCONCE_TOKENS_FILE',
  }),
  tokenGuesses: key(
    'sconce_token_guesses',
    integer(0),
    '10',
    'Wrong tokens after which an address is answered 429 for a while; a hundred times as many from all together in a minute; 0: any number. Valid tokens always pass.',
    { env: 'SCONCE_TOKEN_GUESSES' },
  ),
  metricsToken: key(
    'sconce_metrics_token',
    boolean,
    'false',
    "Ask for a token on the metrics API: the management key, or one with the scope metrics. TorchServe's is open. With sconce_tenants it does, unless this says false.",
    { env: 'SCONCE_METRICS_TOKEN' },
  ),
  oidcIssuer: key('sconce_oidc_issuer', text, undefined, 'OIDC issuer whose JWTs are tokens here, as they name it in `iss`.', { env: 'SCONCE_OIDC_ISSUER' }),
  oidcAudience: key('sconce_oidc_audience', text, undefined, 'What `aud` of such a JWT has to hold.', { env: 'SCONCE_OIDC_AUDIENCE' }),
  oidcJwksUrl: key('sconce_oidc_jwks_url', text, undefined, "Where the issuer's keys are; its discovery document says it unless set.", {
    env: 'SCONCE_OIDC_JWKS_URL',
  }),
  oidcScopeClaim: key(
    'sconce_oidc_scope_claim',
    text,
    'scope',
    'Claim with the scopes, a path such as `realm_access.roles`; those that begin with `sconce:` count.',
    {
      env: 'SCONCE_OIDC_SCOPE_CLAIM',
    },
  ),
  oidcTenantClaim: key('sconce_oidc_tenant_claim', text, undefined, 'Claim with the tenant; all are of the tenant `default` unless set.', {
    env: 'SCONCE_OIDC_TENANT_CLAIM',
  }),
  tlsPrincipals: key(
    'sconce_tls_principals',
    text,
    undefined,
    'JSON: what holders of client certificates may do, by name: `{"CN=edge": {"scopes": ["infer:resnet-*"], "tenant": "a"}}`.',
    { env: 'SCONCE_TLS_PRINCIPALS' },
  ),
  tenants: key(
    'sconce_tenants',
    text,
    undefined,
    'YAML or JSON file of the tenants: which models each owns, and what it may use at most. One tenant without limits unless set.',
    { env: 'SCONCE_TENANTS' },
  ),
  auditLog: key('sconce_audit_log', text, undefined, 'File of the audit, or `off`; sconce_audit.log beside the other logs unless set.', {
    env: 'SCONCE_AUDIT_LOG',
  }),
  allowPublicAddress: key(
    'sconce_allow_public_address',
    someOf('inference', 'management', 'metrics', 'grpc_inference', 'grpc_management'),
    'false',
    'Listen beyond this machine without TLS and tokens: all listeners (`true`), or those named.',
    { env: 'SCONCE_ALLOW_PUBLIC_ADDRESS' },
  ),
  hostNames: key(
    'sconce_host_names',
    hostNames,
    '',
    'Host names that requests may be sent to, beside those of this machine; set, they are asked for on public addresses too.',
    { env: 'SCONCE_HOST_NAMES' },
  ),
  http2: key('sconce_http2', boolean, 'false', 'Speak HTTP/2 on https addresses with clients that ask for it.', { env: 'SCONCE_HTTP2' }),
  clientCertificates: key(
    'sconce_client_certificates',
    oneOf('off', 'request', 'require'),
    'off',
    'Whether clients of TLS listeners show a certificate: `request` takes one that verifies, `require` turns those without away.',
    { env: 'SCONCE_CLIENT_CERTIFICATES' },
  ),
  clientCaFile: key('sconce_client_ca_file', text, undefined, 'PEM file of the authorities that client certificates come from.', {
    env: 'SCONCE_CLIENT_CA_FILE',
  }),
  tlsReloadS: key('sconce_tls_reload_s', integer(1, 86_400), '10', 'Seconds between looks for renewed key and certificate files.', {
    env: 'SCONCE_TLS_RELOAD_S',
  }),
  cacheDir: key('sconce_cache_dir', text, undefined, 'Where unpacked archives and installed packages are kept, by content; the user cache unless set.', {
    env: 'SCONCE_CACHE_DIR',
  }),
  fetchHosts: key('sconce_fetch_hosts', texts, '', 'Hosts that models may be fetched from although their addresses are private: names, addresses, networks.', {
    env: 'SCONCE_FETCH_HOSTS',
  }),
  storeRoots: key('sconce_store_roots', texts, '', 'Folders beside the model store that file:// URLs and folders of models may lie in.', {
    env: 'SCONCE_STORE_ROOTS',
  }),
  pythons: key('sconce_pythons', namedPaths, '', 'Interpreters that model-config.yaml may ask for by name: `sconce: {python: NAME}`.', {
    env: 'SCONCE_PYTHONS',
  }),
  wheelFolder: key('sconce_wheel_folder', text, undefined, 'Folder of packages: requirements are installed from it alone, without any network.', {
    env: 'SCONCE_WHEEL_FOLDER',
  }),
  installTimeoutS: key('sconce_install_timeout_s', integer(1, 86_400), '900', "Seconds that making a model's Python environment may take.", {
    env: 'SCONCE_INSTALL_TIMEOUT_S',
  }),
  drainTimeoutS: key('sconce_drain_timeout_s', integer(0, 86_400), '30', 'Seconds that accepted requests get when the server stops.', {
    env: 'SCONCE_DRAIN_TIMEOUT_S',
  }),
  logJson: key('sconce_log_json', boolean, 'false', 'Also write sconce_log.json, an object a line.', { env: 'SCONCE_LOG_JSON' }),
  maxConnections: key('sconce_max_connections', integer(1, 1_000_000), '10000', 'Connections per listener.', { env: 'SCONCE_MAX_CONNECTIONS' }),
  maxConnectionsPerAddress: key(
    'sconce_max_connections_per_address',
    integer(1, 1_000_000),
    '5000',
    'Connections per listener from one IPv4 address or one IPv6 network of 64 bits.',
    { env: 'SCONCE_MAX_CONNECTIONS_PER_ADDRESS' },
  ),
  headerTimeoutS: key(
    'sconce_header_timeout_s',
    integer(1, 86_400),
    '10',
    'Seconds that a client may take for the head of a request, and for a TLS handshake.',
    {
      env: 'SCONCE_HEADER_TIMEOUT_S',
    },
  ),
  bodyTimeoutS: key('sconce_body_timeout_s', integer(1, 86_400), '300', 'Seconds that a client may take for a whole request.', {
    env: 'SCONCE_BODY_TIMEOUT_S',
  }),
  minBodyBytesPerS: key(
    'sconce_min_body_bytes_per_s',
    integer(0),
    '240',
    'Slowest that a body may arrive, bytes a second over sconce_header_timeout_s; 0: any.',
    { env: 'SCONCE_MIN_BODY_BYTES_PER_S' },
  ),
  sendTimeoutS: key('sconce_send_timeout_s', integer(1, 86_400), '60', 'Seconds that an answer may wait for a client that reads nothing of it.', {
    env: 'SCONCE_SEND_TIMEOUT_S',
  }),
  idleTimeoutS: key('sconce_idle_timeout_s', integer(1, 86_400), '75', 'Seconds that an idle connection is kept.', { env: 'SCONCE_IDLE_TIMEOUT_S' }),
  maxArchiveBytes: key('sconce_max_archive_bytes', longInteger, '17179869184', 'Longest archive, bytes.', { env: 'SCONCE_MAX_ARCHIVE_BYTES' }),
  maxUnpackedBytes: key('sconce_max_unpacked_bytes', longInteger, '34359738368', 'What an archive may unpack to, bytes.', { env: 'SCONCE_MAX_UNPACKED_BYTES' }),
  maxArchiveEntries: key('sconce_max_archive_entries', integer(1), '100000', 'Files in an archive.', { env: 'SCONCE_MAX_ARCHIVE_ENTRIES' }),
  sandbox: key(
    'sconce_sandbox',
    oneOf(...SANDBOX_LEVELS),
    'standard',
    'The sandbox of workers: `standard` holds what this machine can hold and tells the rest, `strict` refuses to load a model instead, `off` gives handlers all rights of the server.',
    { env: 'SCONCE_SANDBOX' },
  ),
  grants: key('sconce_grants', grantsByModel, '{}', 'What workers of single models may do beyond that; an archive can only ask for it.', {
    env: 'SCONCE_GRANTS',
  }),
  isolation: key(
    'sconce_isolation',
    oneOf(...ISOLATIONS),
    'auto',
    "Where ONNX models and JavaScript handlers run: in threads of the server, in sandboxed processes, or (auto) in threads where they are the operator's own, trusted as the server is, and in processes otherwise.",
    { env: 'SCONCE_ISOLATION' },
  ),
  workerUsers: key(
    'sconce_worker_users',
    integerRange(1000, 4_294_967_293),
    '2000000000-2000065535',
    'User numbers for workers where the server runs as root: each worker takes one that no other has.',
    { env: 'SCONCE_WORKER_USERS' },
  ),
  workerRoomMb: key(
    'sconce_worker_room_mb',
    integer(0),
    '0',
    'What a sandboxed worker may write to /tmp, /dev/shm and its own copy of the model, MiB in memory; 0: half of its memory limit.',
    { env: 'SCONCE_WORKER_ROOM_MB' },
  ),
  workerMemoryMb: key(
    'sconce_worker_memory_mb',
    integer(0),
    '0',
    'Memory of a Python worker and all it starts, MiB; 0: four fifths of what the server may use.',
    {
      env: 'SCONCE_WORKER_MEMORY_MB',
    },
  ),
  workerProcesses: key('sconce_worker_processes', integer(0), '2048', 'Processes and threads of a Python worker; 0: any number.', {
    env: 'SCONCE_WORKER_PROCESSES',
  }),
  workerFileMb: key('sconce_worker_file_mb', integer(0), '32768', 'Longest file that a Python worker may write, MiB; 0: any length.', {
    env: 'SCONCE_WORKER_FILE_MB',
  }),
  workerOpenFiles: key('sconce_worker_open_files', integer(0), '65536', 'Open files of each process of a Python worker; 0: as the server has it.', {
    env: 'SCONCE_WORKER_OPEN_FILES',
  }),
  workerLogKbPerS: key(
    'sconce_worker_log_kb_per_s',
    integer(0),
    '1024',
    'What a Python worker may print in the long run, KiB a second and stream; the rest is dropped and counted; 0: everything is kept.',
    { env: 'SCONCE_WORKER_LOG_KB_PER_S' },
  ),
  controlGroups: key('sconce_control_groups', boolean, 'true', 'Hold Python workers to their limits by control groups where these are writable.', {
    env: 'SCONCE_CONTROL_GROUPS',
  }),
  scan: key(
    'sconce_scan',
    oneOf('off', 'warn', 'standard', 'require'),
    'standard',
    'What the scan of a model before it is loaded leads to: `warn` serves everything and says what it found, `standard` refuses what is dangerous, `require` also what could not be judged.',
    { env: 'SCONCE_SCAN' },
  ),
  scanPermit: key(
    'sconce_scan_permit',
    texts,
    '',
    'Models that are served whatever the scan finds: names, or SHA-256 hashes of archives or of the files with findings.',
    { env: 'SCONCE_SCAN_PERMIT' },
  ),
  clamd: key('sconce_clamd', text, undefined, 'Where clamd listens, to be asked about every file: `unix:/path` or `tcp:host:port`.', { env: 'SCONCE_CLAMD' }),
  virustotalKey: key('sconce_virustotal_key', text, undefined, 'Key of the VirusTotal API, to be asked by the hashes of files; no content is sent.', {
    env: 'SCONCE_VIRUSTOTAL_KEY',
    secret: true,
  }),
  virustotalUrl: key('sconce_virustotal_url', text, 'https://www.virustotal.com', 'Where the VirusTotal API is.', { env: 'SCONCE_VIRUSTOTAL_URL' }),
  scanners: key('sconce_scanners', text, undefined, 'JSON of further scanners: name → `{"command": [...]}`; see scanning.md.', { env: 'SCONCE_SCANNERS' }),
  quarantineDir: key(
    'sconce_quarantine_dir',
    text,
    undefined,
    'Folder in which a downloaded archive that the scan refuses is kept, with its report; it is deleted unless set.',
    { env: 'SCONCE_QUARANTINE_DIR' },
  ),
  warmPython: key('sconce_warm_python', boolean, 'true', 'Import PyTorch once, in the process that workers are forked from.', { env: 'SCONCE_WARM_PYTHON' }),
} as const;

export type SettingName = keyof typeof KEYS;

type ValueOf<K> = K extends KeySpec<infer T> ? T : never;

/** The value of every key by its name here; undefined where it is unset and has no default. */
export type RawSettings = { readonly [N in SettingName]: ValueOf<(typeof KEYS)[N]> | undefined };

export const ALL_KEYS: readonly (readonly [SettingName, KeySpec<unknown>])[] = Object.entries(KEYS) as [SettingName, KeySpec<unknown>][];
