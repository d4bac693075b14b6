import type { Command } from 'commander';
import { collected } from './pack-flags.js';
import { flagSettings, type ServeFlags } from './server-flags.js';

interface Common extends ServeFlags {
  readonly config?: string;
  readonly handler?: string;
  readonly python?: string;
}

/** Adds the commands of those who write a model's code. `done` is told the exit code. */
export function addAuthoringCommands(program: Command, done: (code: number) => void): void {
  program
    .command('new')
    .description('make a folder with a model to start from: its code, its settings, a test')
    .argument('<name>', 'name of the model and of the folder')
    .option('--kind <kind>', '`python`, `typescript` or `onnx` (no code)', 'python')
    .option('--force', 'write into a folder that holds something already')
    .action(async (name: string, flags: { kind: string; force?: boolean }) => {
      const { makeStarter } = await import('./new.js');
      makeStarter(name, { kind: flags.kind, force: flags.force === true });
    });

  modelFlags(program.command('dev').description('serve a model for its author: reloads on change, tracebacks in the answers, loopback only'))
    .argument('[path]', 'folder or archive of the model', '.')
    .option('--port <port>', 'port on 127.0.0.1; 0 for any', '8080')
    .action(async (path: string, flags: Common & { port: string }) => {
      const { develop } = await import('./dev.js');
      done(await develop(path, flags, flagSettings(flags), flags.config));
    });

  modelFlags(program.command('run').description('ask a model once, without a server, and print its answer'))
    .argument('<model>', 'folder, .mar, .onnx or .pt')
    .option('-f, --file <file>', 'input; standard input unless given')
    .option('-t, --type <type>', 'content type; by the name of the file unless given')
    .option('--header <name=value>', 'header of the request, as the handler sees it; may be given several times', collected)
    .option('--explain', 'ask for an explanation')
    .option('--json', 'print status, headers and body as JSON')
    .option('-q, --quiet', "leave out what the model's code writes")
    .action(async (model: string, flags: Common & { file?: string; type?: string; header?: string[]; explain?: boolean; json?: boolean; quiet?: boolean }) => {
      const { runModel } = await import('./run.js');
      done(await runModel(model, flags, flagSettings(flags), flags.config));
    });

  program
    .command('python-path')
    .description("print the folder of the handler API, for a test's PYTHONPATH")
    .action(async () => {
      const { join } = await import('node:path');
      const { HOME } = await import('../composition/backends.js');
      process.stdout.write(`${join(HOME, 'python')}\n`);
    });
}

function modelFlags(command: Command): Command {
  return command
    .option('--ts-config, --config <file>', 'config.properties to read')
    .option('--set <key=value>', 'any key of config.properties; may be given several times', collected)
    .option('--python <interpreter>', 'interpreter of a Python handler')
    .option('--handler <handler>', 'handler, in place of the one that the manifest names');
}
