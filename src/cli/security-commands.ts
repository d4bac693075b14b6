import type { Command } from 'commander';
import type { AuditFilter, AuditFlags } from './audit.js';
import { addServeFlags, flagSettings, type ServeFlags } from './server-flags.js';
import type { TokenFlags } from './token.js';

/** Adds the commands by which an operator says and sees who may do what, and who did: token, exposure, audit. */
export function addSecurityCommands(program: Command, ended: (code: number) => void): void {
  const ofFile = (command: Command): Command =>
    command
      .option('--ts-config, --config <file>', 'config.properties that names the file')
      .option('--file <file>', 'tokens file; the configured one unless given')
      .option('--json', 'as JSON');

  const token = program.command('token').description('create, list, revoke and rotate named tokens; a running server follows at once');
  ofFile(token.command('create').description('make a token and print it, once').argument('<name>'))
    .requiredOption('--scope <scope...>', 'infer, manage, metrics or admin, each alone or for some models: infer:resnet-*')
    .option('--tenant <tenant>', 'whose it is', 'default')
    .option('--expires <time>', '`90d`, `12h`, `never`', '90d')
    .action(async (name: string, flags: TokenFlags & { scope: string[]; tenant: string; expires: string }) => {
      await (await import('./token.js')).createToken(name, flags);
    });
  ofFile(token.command('list').description('names, tenants, scopes and ends; no secret')).action(async (flags: TokenFlags) => {
    (await import('./token.js')).listTokens(flags);
  });
  ofFile(token.command('revoke').description('refuse a token from now on').argument('<name>')).action(async (name: string, flags: TokenFlags) => {
    await (await import('./token.js')).revokeToken(name, flags);
  });
  ofFile(token.command('rotate').description('give a token a new secret and print it, once').argument('<name>'))
    .option('--grace <time>', 'for so long the old secret is good too; not at all unless given')
    .action(async (name: string, flags: TokenFlags & { grace?: string }) => {
      await (await import('./token.js')).rotateToken(name, flags);
    });

  addServeFlags(program.command('exposure').description('print who could call what from where, with these settings'))
    .option('--json', 'as JSON')
    .option('--ncs, --no-config-snapshots', 'as if no snapshot had been written')
    .action(async (flags: ServeFlags & { config?: string; json?: boolean; configSnapshots: boolean }) => {
      const { printExposure } = await import('./exposure.js');
      printExposure(flagSettings(flags), flags.config, { json: flags.json === true, snapshots: flags.configSnapshots });
    });

  const audit = program.command('audit').description('check and read the audit log: who changed what, and who was refused');
  const ofLog = (command: Command): Command =>
    command
      .argument('[file]', 'the log; the configured one unless given')
      .option('--ts-config, --config <file>', 'config.properties that names the log')
      .option('--json', 'as JSON');
  ofLog(audit.command('verify').description('follow the chain, and name the first line that is wrong'))
    .option('--expect <head>', 'where the chain ended when it was verified before: it has to contain that')
    .action(async (file: string | undefined, flags: AuditFlags & { expect?: string }) => {
      ended(await (await import('./audit.js')).verifyAudit(file, flags));
    });
  ofLog(audit.command('show').description('print lines'))
    .option('--who <text>', 'part of who did it')
    .option('--tenant <text>', 'part of the tenant')
    .option('--verb <text>', 'part of what was done: register, authorize')
    .option('--subject <text>', 'part of what it was done to')
    .option('--result <text>', 'part of the result: done, TOKEN_REFUSED')
    .option('--since <time>', 'from this time on: 2026-11-27 or longer')
    .option('--until <time>', 'before this time')
    .option('--last <count>', 'only the last ones')
    .action(async (file: string | undefined, flags: AuditFlags & AuditFilter) => {
      await (await import('./audit.js')).showAudit(file, flags);
    });
}
