import type { Command } from 'commander';

/** What the command line says of the settings: key of config.properties → text and the flag it came from. */
export type FlagSettings = ReadonlyMap<string, { readonly text: string; readonly where: string }>;

/** The flags of `sconce serve`, which are TorchServe's. */
export interface ServeFlags {
  readonly tsConfig?: string;
  readonly modelStore?: string;
  readonly workflowStore?: string;
  readonly models?: readonly string[];
  readonly disableTokenAuth?: boolean;
  readonly enableModelApi?: boolean;
  readonly cppLogConfig?: string;
  readonly set?: readonly string[];
}

/** Adds the flags that name settings to a command. */
export function addServeFlags(command: Command): Command {
  return command
    .option('--ts-config, --config <file>', 'config.properties to read')
    .option('--model-store <folder>', 'folder of the archives')
    .option('--workflow-store <folder>', 'folder of the workflow archives')
    .option('--models <model...>', 'models to load: `name=location`, `location`, or `all`')
    .option('--dt, --disable-token-auth', 'serve without tokens')
    .option('--enable-model-api', 'let models be registered and unregistered over the API')
    .option('--set <key=value...>', 'any key of config.properties');
}

/** Translates flags to keys. A flag that isn't there says nothing. */
export function flagSettings(flags: ServeFlags): FlagSettings {
  const settings = new Map<string, { text: string; where: string }>();
  const put = (key: string, text: string | undefined, where: string) => {
    if (text !== undefined) settings.set(key, { text, where });
  };
  for (const pair of flags.set ?? []) {
    const at = pair.indexOf('=');
    put(at < 0 ? pair : pair.slice(0, at), at < 0 ? 'true' : pair.slice(at + 1), '--set');
  }
  put('model_store', flags.modelStore, '--model-store');
  put('workflow_store', flags.workflowStore, '--workflow-store');
  put('load_models', flags.models?.join(','), '--models');
  put('disable_token_authorization', flags.disableTokenAuth ? 'true' : undefined, '--disable-token-auth');
  put('enable_model_api', flags.enableModelApi ? 'true' : undefined, '--enable-model-api');
  put('cpp_log_config', flags.cppLogConfig, '--cpp-log-config');
  return settings;
}
