import { Command } from 'commander';
import { expect, it } from 'vitest';
import { addPackFlags } from './pack-flags.js';

async function parsed(...args: readonly string[]): Promise<readonly [string, Record<string, unknown>]> {
  let seen: readonly [string, Record<string, unknown>] | undefined;
  const program = new Command('sconce')
    .version('9')
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  addPackFlags(
    program
      .command('pack')
      .exitOverride()
      .configureOutput({ writeErr: () => undefined }),
  ).action((folder: string, flags: Record<string, unknown>) => {
    seen = [folder, flags];
  });
  await program.parseAsync(['pack', ...args], { from: 'user' });
  return seen ?? ['', {}];
}

it('the names of torch-model-archiver count, --version too, and the folder may stand behind any of them', async () => {
  const [folder, flags] = await parsed(
    ...['--model-name', 'm', '--version', '2.0', '--archive-format', 'no-archive', '--export-path', 'store', '-r', 'r.txt', '-c', 'c.yaml'],
    ...['--extra-files', 'a,b', '--extra-files', 'c', 'cats'],
  );

  expect(folder).toBe('cats');
  expect(flags).toMatchObject({ name: 'm', modelVersion: '2.0', format: 'no-archive', exportPath: 'store', requirementsFile: 'r.txt', configFile: 'c.yaml' });
  expect(flags.extraFiles).toEqual(['a,b', 'c']);
});

it('without flags it is the working directory, and the handler is checked', async () => {
  const [folder, flags] = await parsed();

  expect([folder, flags.check, flags.exclude]).toEqual(['.', true, []]);
  expect((await parsed('--no-check'))[1].check).toBe(false);
});

it.each([
  ['--format', 'rar'],
  ['--runtime', 'java'],
])('%s %s is a wrong call', async (flag, value) => {
  await expect(parsed(flag, value)).rejects.toThrow('Allowed:');
});
