import { describe, expect, it } from 'vitest';
import { ALL_KEYS } from './keys.js';

const FOREVER = '9223372036854775807';

/** TorchServe 0.12's keys, their defaults as text, and whether a TS_ variable overrides them; a word in place of `true` is a variable that breaks the rule. */
const TORCHSERVE: readonly (readonly [key: string, fallback: string | undefined, env: boolean | string])[] = [
  ['inference_address', 'http://127.0.0.1:8080', true],
  ['management_address', 'http://127.0.0.1:8081', true],
  ['metrics_address', 'http://127.0.0.1:8082', true],
  ['grpc_inference_address', '127.0.0.1', true],
  ['grpc_management_address', '127.0.0.1', true],
  ['grpc_inference_port', '7070', true],
  ['grpc_management_port', '7071', true],
  ['grpc_inference_max_connection_age_ms', FOREVER, true],
  ['grpc_management_max_connection_age_ms', FOREVER, true],
  ['grpc_inference_max_connection_age_grace_ms', FOREVER, true],
  ['grpc_management_max_connection_age_grace_ms', FOREVER, true],
  ['enable_grpc_ssl', 'false', true],
  ['keystore', undefined, true],
  ['keystore_pass', 'changeit', true],
  ['keystore_type', 'PKCS12', true],
  ['private_key_file', undefined, true],
  ['certificate_file', undefined, true],
  ['cors_allowed_origin', undefined, true],
  ['cors_allowed_methods', undefined, true],
  ['cors_allowed_headers', undefined, true],
  ['model_store', undefined, true],
  ['workflow_store', undefined, true],
  ['load_models', undefined, true],
  ['models', undefined, false],
  ['model_snapshot', undefined, false],
  ['default_workers_per_model', '0', true],
  ['default_response_timeout', '120', true],
  ['default_startup_timeout', '120', true],
  ['unregister_model_timeout', '120', true],
  ['job_queue_size', '100', true],
  ['number_of_gpu', undefined, true],
  ['number_of_netty_threads', '0', true],
  ['netty_client_threads', '0', true],
  ['max_request_size', '6553500', true],
  ['max_response_size', '6553500', true],
  ['limit_max_image_pixels', 'true', true],
  ['decode_input_request', 'true', true],
  ['default_service_handler', undefined, true],
  ['service_envelope', undefined, true],
  ['install_py_dep_per_model', 'false', true],
  ['blacklist_env_vars', '', true],
  ['prefer_direct_buffer', 'false', true],
  ['async_logging', 'false', true],
  ['allowed_urls', 'file://.*|http(s)?://.*', true],
  ['use_env_allowed_urls', 'false', false],
  ['enable_envvars_config', 'false', false],
  ['enable_metrics_api', 'true', true],
  ['metrics_mode', 'log', true],
  ['metrics_config', undefined, true],
  ['model_metrics_auto_detect', 'false', true],
  ['disable_system_metrics', 'false', true],
  ['system_metrics_cmd', '', false],
  ['metric_time_interval', '60', false],
  ['initial_worker_port', '9000', true],
  ['initial_distribution_port', '29500', true],
  ['debug', 'false', true],
  ['ipex_enable', 'false', true],
  ['ipex_gpu_enable', 'false', true],
  ['cpu_launcher_enable', 'false', true],
  ['cpu_launcher_args', undefined, true],
  ['cpp_log_config', undefined, true],
  ['ts_open_inference_protocol', 'false', 'TS_OPEN_INFERENCE_PROTOCOL'],
  ['token_expiration_min', '60', 'TS_TOKEN_EXPIRATION_TIME_MIN'],
  ['disable_token_authorization', 'false', true],
  ['enable_model_api', 'false', true],
  ['ts_header_key_sequence_id', 'ts_request_sequence_id', 'TS_HEADER_KEY_SEQUENCE_ID'],
  ['ts_header_key_sequence_start', 'ts_request_sequence_start', 'TS_HEADER_KEY_SEQUENCE_START'],
  ['ts_header_key_sequence_end', 'ts_request_sequence_end', 'TS_HEADER_KEY_SEQUENCE_END'],
  ['model_server_home', undefined, true],
  ['python', undefined, false],
  ['use_native_io', 'true', false],
  ['io_ratio', '50', false],
  ['version', undefined, false],
  ['vmargs', undefined, false],
  ['plugins_path', undefined, false],
  ['NUM_WORKERS', '1', false],
  ['tsConfigFile', undefined, false],
];

describe('the table of settings', () => {
  const byKey = new Map(ALL_KEYS.map(([, spec]) => [spec.key, spec]));

  it.each(TORCHSERVE)('%s has the default %j and the variable of TorchServe', (key, fallback, env) => {
    const variable = typeof env === 'string' ? env : env ? `TS_${key.toUpperCase()}` : undefined;

    expect(byKey.get(key)).toMatchObject({ fallback, env: variable });
  });

  it('holds beyond those only keys that begin with sconce_, with variables of their own', () => {
    const known = new Set(TORCHSERVE.map(([key]) => key));
    const own = ALL_KEYS.map(([, spec]) => spec).filter(({ key }) => !known.has(key));

    expect(own.filter(({ key, env }) => !key.startsWith('sconce_') || env !== key.toUpperCase())).toEqual([]);
  });

  it('has defaults that its own types allow', () => {
    const wrong = ALL_KEYS.filter(([, { fallback, type }]) => fallback !== undefined && type.read(fallback) === undefined);

    expect(wrong).toEqual([]);
  });

  it('says a sentence of every key, and why for those that do nothing', () => {
    expect(ALL_KEYS.filter(([, { says, ignored }]) => !/\w.*\.$/.test(says) || ignored === '')).toEqual([]);
  });
});
