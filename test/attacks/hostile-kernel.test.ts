import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunningServer } from '../e2e/running-server.js';
import { aftermath } from '../fixtures/aftermath.js';
import { expectRefused, HostileModel, type Wish } from '../fixtures/hostile-model.js';

const server = new RunningServer();
const hostile = new HostileModel(server, 'hostile');

beforeAll(async () => {
  await server.start();
  await hostile.register('sconce:\n  retryOnWorkerDeath: false\n');
});

afterAll(() => server.dispose());

aftermath(() => server);

/** In handle, in a thread left behind, and in the initialize of a model of its own. */
async function refusedEverywhere(wish: Wish): Promise<void> {
  expectRefused(await hostile.tries(wish));
  expectRefused(await hostile.triesLater(wish));
  const starting = new HostileModel(server, `starting-${wish.do}`);
  await starting.register(`handler:\n  at_start: ${JSON.stringify(JSON.stringify(wish))}\n`);
  expectRefused(await starting.tries({ do: 'report' }));
}

describe('a hostile handler', () => {
  it('HH12 leaves its root by no way', async () => {
    await refusedEverywhere({ do: 'escape' });
  });

  it('HH13 HH14 HH15 opens none of the kernel’s wide doors, pushes no input into a terminal, and makes no System V memory', async () => {
    await refusedEverywhere({ do: 'doors' });
  });

  it.runIf(process.arch === 'x64').each(['int80', 'x32'])('HH13 ends where it calls the kernel as another machine would (%s)', async (kind) => {
    await server.eventually(async () => (await hostile.ask({ do: 'report' })).status === 200, 'a worker serves');

    const { status } = await hostile.ask({ do: 'call_as_another_machine', kind });

    expect(status).toBe(500);
    // Not every kernel has the gate of 32 bits at all.
    const crashes = JSON.parse((await server.manage('GET', '/sconce/crashes?model=hostile')).text);
    expect(crashes.at(-1)?.signal ?? crashes.at(-1)?.cause).toMatch(/SIGSYS|SIGSEGV/);
  });

  it('HH14 HH16 writes neither escape sequences nor lines of others into the logs', async () => {
    const forged = '2026-01-01T00:00:00,000 [INFO ] http ACCESS_LOG - /10.0.0.1:1 "GET /forged HTTP/1.1" 200 1';

    await hostile.tries({ do: 'say', text: `\u001b]0;title\u0007\u001b[2Jcleared\r${forged}\n${forged}` });

    await server.logHas('model_log.log', '/forged');
    expect(server.log('model_log.log')).not.toMatch(/(?![\t\n])\p{Cc}/u);
    await server.logHas('model_log.log', '\\x1b[2Jcleared\n');
    expect(server.log('access_log.log')).not.toContain('/forged');
    const lines = server.log('model_log.log').split('\n');
    expect(lines.filter((line) => line.includes('/forged')).every((line) => / W-\d+-hostile_1\.0-stdout MODEL_LOG - /.test(line))).toBe(true);
  });
});
