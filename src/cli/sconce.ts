import { Command, CommanderError } from 'commander';
import { SconceError } from '../errors/sconce-error.js';
import { TORCHSERVE_VERSION } from '../version.js';
import { addAuthoringCommands } from './authoring-commands.js';
import type { FuzzFlags } from './fuzz.js';
import { addPackFlags, type PackFlags } from './pack-flags.js';
import { addSecurityCommands } from './security-commands.js';
import type { ClientFlags } from './server-addresses.js';
import { addServeFlags, flagSettings, type ServeFlags } from './server-flags.js';
import { addSigningCommands } from './signing-commands.js';

/** The `sconce` command. Gives the exit code: 0 fine, 1 it failed, 2 it was called wrongly. Errors are one line on standard error. */
export async function main(args: readonly string[]): Promise<number> {
  let code = 0;
  const version = `sconce ${await ownVersion()} (TorchServe API ${TORCHSERVE_VERSION})`;
  const program = new Command('sconce')
    .description("Serves PyTorch and ONNX models over TorchServe's APIs.")
    .version(version, '-v, --version')
    .showHelpAfterError('(run `sconce --help` for the commands)')
    // A version behind a command is that command's: `pack --version 2.0`.
    .enablePositionalOptions()
    .exitOverride();

  addServeFlags(program.command('serve').description('run a server'))
    .option('--ncs, --no-config-snapshots', 'neither read nor write snapshots')
    .option('--foreground', 'stay until the server ends; this is the default')
    .option('--detach', 'start it in the background; `sconce stop` ends it')
    .action(async (flags: ServeFlags & { config?: string; detach?: boolean; foreground?: boolean; configSnapshots: boolean }) => {
      const how = { snapshots: flags.configSnapshots };
      if (flags.detach && flags.foreground) program.error("error: option '--detach' cannot be used with option '--foreground'");
      if (flags.detach) code = await (await import('./serve-detached.js')).serveDetached(flagSettings(flags), flags.config, how);
      else code = await (await import('./run-server.js')).runServer(flagSettings(flags), flags.config, how);
    });

  program
    .command('stop')
    .description('stop the server that `serve --detach` or torchserve started')
    .option('--foreground', 'wait until it has ended, at most 60 s')
    .option('-q, --quiet', 'print errors only')
    .action(async (flags: { foreground?: boolean; quiet?: boolean }) => {
      const { stopServer } = await import('./stop.js');
      code = await stopServer({ foreground: flags.foreground === true, quiet: flags.quiet === true });
    });

  addServeFlags(program.command('config').description('print each setting, its value and where it comes from'))
    .option('--json', 'as JSON')
    .option('--changed', 'only what differs from the defaults')
    .option('--ncs, --no-config-snapshots', 'as if no snapshot had been written')
    .option('-q, --quiet', 'no warnings')
    .action(async (flags: ServeFlags & { config?: string; json?: boolean; changed?: boolean; quiet?: boolean; configSnapshots: boolean }) => {
      const { printConfig } = await import('./config.js');
      const how = { json: flags.json === true, changed: flags.changed === true, quiet: flags.quiet === true, snapshots: flags.configSnapshots };
      printConfig(flagSettings(flags), flags.config, how);
    });

  const client = (command: Command): Command =>
    command
      .option('--ts-config, --config <file>', 'config.properties that names the addresses')
      .option('--management <url>', 'management address; the configured one unless given')
      .option('--inference <url>', 'inference address; the configured one unless given')
      .option('--key-file <file>', 'key_file.json of the server', 'key_file.json')
      .option('--insecure', 'accept any TLS certificate')
      .option('-q, --quiet', 'print results and errors only')
      .option('--json', 'as JSON');

  client(program.command('status').description('tell whether a server runs, how it is and what it serves')).action(async (flags: ClientFlags) => {
    const { printStatus } = await import('./status.js');
    code = await printStatus(flags);
  });

  client(program.command('crashes').description('show how workers ended').argument('[model]')).action(async (model: string | undefined, flags: ClientFlags) => {
    const { printCrashes } = await import('./crashes.js');
    await printCrashes(model, flags);
  });

  client(program.command('predict').description('send a file to a model and print its answer').argument('<model>', '`name` or `name/version`'))
    .option('-f, --file <file>', 'input; standard input unless given')
    .option('-t, --type <type>', 'content type')
    .action(async (model: string, flags: ClientFlags & { file?: string; type?: string }) => {
      const { predict } = await import('./predict.js');
      code = await predict(model, flags);
    });

  client(
    program
      .command('fuzz')
      .description('throw odd and hostile inputs at a served model, and write what it could not take')
      .argument('<model>', '`name` or `name/version`'),
  )
    .option('--seed <number>', 'makes the same requests again')
    .option('--requests <count>', 'requests in all', '1000')
    .option('--seconds <count>', 'time in all', '120')
    .option('--timeout <seconds>', 'how long one answer may take', '10')
    .option('--schema <file>', "JSON Schema of the inputs; that of the model's own rules unless given")
    .option('--sample <file>', 'a good input as JSON, which is changed in each of its places')
    .option('-o, --output <name>', 'name of the reports, without an ending', 'fuzz-report')
    .action(async (model: string, flags: FuzzFlags) => {
      code = await (await import('./fuzz.js')).fuzzModel(model, flags);
    });

  client(
    program
      .command('sbom')
      .description('print what a served model consists of: files, packages, signer, as CycloneDX')
      .argument('<model>', '`name` or `name/version`'),
  ).action(async (model: string, flags: ClientFlags) => {
    await (await import('./sbom.js')).printBill(model, flags);
  });

  const models = program.command('models').description('list, describe, register, scale and unregister models of a running server');
  client(models.command('list').description('the models, their default versions and where they came from')).action(async (flags: ClientFlags) => {
    await (await import('./models.js')).listModels(flags);
  });
  client(models.command('describe').description('one model, or one version of it').argument('<model>').argument('[version]')).action(
    async (model: string, version: string | undefined, flags: ClientFlags) => {
      await (await import('./models.js')).describeModel(model, version, flags);
    },
  );
  client(models.command('register').description('register an archive of the store, or a URL').argument('<url>'))
    .option('--name <name>', 'name to serve it under')
    .option('--workers <count>', 'workers to start', '1')
    .action(async (url: string, flags: ClientFlags & { name?: string; workers: string }) => {
      await (await import('./models.js')).registerModel(url, flags);
    });
  client(models.command('scale').description('set the number of workers').argument('<model>').argument('<min>').argument('[max]'))
    .option('--model-version <version>', 'version, unless the default one')
    .action(async (model: string, min: string, max: string | undefined, flags: ClientFlags & { modelVersion?: string }) => {
      await (await import('./models.js')).scaleModel(model, min, max, flags);
    });
  client(models.command('unregister').description('stop serving a model').argument('<model>').argument('[version]')).action(
    async (model: string, version: string | undefined, flags: ClientFlags) => {
      await (await import('./models.js')).unregisterModel(model, version, flags);
    },
  );
  client(models.command('set-default').description('make a version the default').argument('<model>').argument('<version>')).action(
    async (model: string, version: string, flags: ClientFlags) => {
      await (await import('./models.js')).setDefaultVersion(model, version, flags);
    },
  );

  client(program.command('scan').description('look for code in files of weights, folders and archives, without loading them').argument('[paths...]'))
    .option('--model <name>', 'what the server of this folder found in a model that it serves, `name` or `name/version`')
    .action(async (paths: readonly string[], flags: ClientFlags & { model?: string }) => {
      code = await (await import('./scan.js')).scan(paths, flags);
    });

  addPackFlags(program.command('pack').description('make an archive of a folder, and say what of it will not work')).action(
    async (folder: string, flags: PackFlags) => {
      await (await import('./pack.js')).packModel(folder, flags);
    },
  );
  const done = (outcome: number): void => {
    code = outcome;
  };
  addAuthoringCommands(program, done);
  addSigningCommands(program, done);

  addSecurityCommands(program, (outcome) => {
    code = outcome;
  });

  program
    .command('version')
    .description('print the version')
    .action(() => void process.stdout.write(`${version}\n`));

  try {
    await program.parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof SconceError || isSystemError(error)) {
      process.stderr.write(`${error.message}\n`);
      return 1;
    }
    throw error;
  }
}

/** A file that isn't there, a folder that may not be written: the user's to mend, told without a stack. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}

async function ownVersion(): Promise<string> {
  const { readFile } = await import('node:fs/promises');
  const json: unknown = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'));
  return typeof json === 'object' && json !== null && 'version' in json ? String(json.version) : '';
}
