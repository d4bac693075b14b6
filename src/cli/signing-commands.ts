import type { Command } from 'commander';
import { collected } from './pack-flags.js';
import type { SignFlags } from './sign.js';
import type { VerifyFlags } from './verify.js';

/** Adds the commands about who vouches for a model. `done` is told the exit code. */
export function addSigningCommands(program: Command, done: (code: number) => void): void {
  program
    .command('sign')
    .description('sign an archive, a folder or a lone .onnx or .pt, in the format of OpenSSF Model Signing')
    .argument('<model>', 'folder, .mar, .war, .tar.gz, .onnx or .pt')
    .requiredOption('--key <file>', 'PEM of an EC private key; the password of an encrypted one comes from SCONCE_SIGN_PASSWORD')
    .option('--cert <file>', "PEM of the signer's certificate, for those who trust its authority and not the key")
    .option('--chain <file>', 'PEM of the authorities between it and the root; may be repeated', collected, [])
    .option('-o, --output <file>', 'where the signature goes; MODEL.sig, or into a folder, unless given; with --inside the signed archive')
    .option('--inside', 'put the signature into the archive, which is written anew')
    .option('--beside', 'put the signature of a folder beside it')
    .option('--name <name>', 'name that it will be served under; that of its manifest unless given')
    .option('--version, --model-version <version>', 'version, likewise')
    .option('-q, --quiet', 'print errors only')
    .option('--json', 'as JSON')
    .action(async (model: string, flags: SignFlags) => {
      if (flags.inside && flags.beside) program.error("error: option '--inside' cannot be used with option '--beside'");
      await (await import('./sign.js')).signOnDisk(model, flags);
    });

  program
    .command('verify')
    .description('say whether a model on disk is signed by somebody trusted, as a server would')
    .argument('<model>', 'folder, .mar, .war, .tar.gz, .onnx or .pt')
    .option('--key <file>', 'PEM of a public key that is trusted')
    .option('--roots <file>', 'PEM of certificate authorities that are trusted')
    .option('--cert-name <pattern>', 'name that the certificate must have, as email:*@example.org; may be repeated', collected)
    .option('--trust-policy <file>', 'trust policy; that of config.properties unless given')
    .option('--signature <file>', 'the signature; MODEL.sig or the one in the model unless given')
    .option('--subject <pattern>', 'what the signer may have called it, with --key or --roots; may be repeated', collected)
    .option('--name <name>', 'name that it would be served under; that of its manifest unless given')
    .option('--version, --model-version <version>', 'version, likewise')
    .option('--ts-config, --config <file>', 'config.properties to read')
    .option('-q, --quiet', 'print refusals only')
    .option('--json', 'as JSON')
    .action(async (model: string, flags: VerifyFlags) => {
      done(await (await import('./verify.js')).verifyOnDisk(model, flags));
    });

  program
    .command('keygen')
    .description('make a key to sign with: NAME.key and NAME.pub')
    .argument('[name]', 'where to', 'sconce-signing')
    .action(async (name: string) => {
      (await import('./keygen.js')).makeSigningKey(name);
    });
}
