import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunningServer } from '../e2e/running-server.js';
import { aftermath } from '../fixtures/aftermath.js';
import { expectRefused, type Outcomes, processesOf } from '../fixtures/hostile-model.js';

const HANDLER = `
import { readFileSync, writeFileSync, readdirSync } from 'node:fs';
import { spawnSync, fork } from 'node:child_process';
import { createConnection } from 'node:net';
import { Worker } from 'node:worker_threads';
import dns from 'node:dns/promises';
import vm from 'node:vm';

const connect = (port) => new Promise((resolve, reject) => createConnection(port, '127.0.0.1').on('connect', resolve).on('error', reject));
const inThread = (code) => new Promise((resolve, reject) => {
  const worker = new Worker(code, { eval: true, execArgv: [] });
  worker.on('message', (said) => (said.startsWith('done') ? resolve(said) : reject(Object.assign(new Error(said), { code: said }))));
  worker.on('error', reject);
});
const ran = ({ error, status }) => { if (error) throw error; return status; };

const TRIES = ({ file, port, pid }) => ({
  read: () => readFileSync(file, 'utf8'),
  shadow: () => readFileSync('/etc/shadow', 'utf8'),
  'environment of init': () => readFileSync('/proc/1/environ', 'utf8'),
  write: () => writeFileSync('/usr/hostile', 'x'),
  'write beside the server': () => writeFileSync(new URL('../hostile.js', 'file://' + process.argv[1]), 'x'),
  connect: () => connect(port),
  'look up': () => dns.lookup('example.com'),
  spawn: () => ran(spawnSync('/bin/sh', ['-c', 'true'])),
  'spawn node': () => ran(spawnSync(process.execPath, ['-e', '0'])),
  kill: () => process.kill(pid, 'SIGKILL'),
  binding: () => {
    const { error } = process.binding('spawn_sync').spawn({ file: '/bin/sh', args: ['sh'], stdio: [{ type: 'ignore' }] });
    if (error) throw Object.assign(new Error(), { code: 'EPERM' });
  },
  dlopen: () => process.dlopen({ exports: {} }, file),
  vm: () => vm.runInNewContext('this.constructor.constructor("return process")()').binding('fs') && readFileSync(file, 'utf8'),
  'in a thread': () => inThread('const fs = require("node:fs"); let said; try { said = "done " + fs.readFileSync(' + JSON.stringify(file) + '); } catch (e) { said = e.code; } require("node:worker_threads").parentPort.postMessage(said);'),
  'run in a thread': () => inThread('const { error } = require("node:child_process").spawnSync("/bin/true"); require("node:worker_threads").parentPort.postMessage(error ? error.code : "done");'),
});

async function attempt(wish) {
  const told = {};
  for (const [name, act] of Object.entries(TRIES(wish))) {
    try { told[name] = 'done ' + String(await act()).slice(0, 100); } catch (error) { told[name] = String(error?.code ?? error); }
  }
  return told;
}

let atStart = {};
export default {
  async initialize({ config }) { atStart = await attempt(config.handler); },
  async handle(requests) {
    return Promise.all(requests.map(async (request) => {
      const wish = request.json();
      if (wish.do === 'environment') return { names: Object.keys(process.env), pid: process.pid, folder: readdirSync('.') };
      return wish.do === 'report' ? atStart : attempt(wish);
    }));
  },
};
`;

const server = new RunningServer();
let trap: Server;
let visits = 0;
const wish = () => {
  const address = trap.address();
  return { file: join(server.folder, 'config.properties'), port: address !== null && typeof address === 'object' ? address.port : 0, pid: server.pid };
};

beforeAll(async () => {
  trap = createServer(() => {
    visits += 1;
  });
  await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve));
  await server.start({ config: { sconce_grants: '{"hostile": {"isolation": "process"}}' }, env: { CANARY: 'canary', AWS_SECRET_ACCESS_KEY: 'canary' } });
  const folder = join(server.store, 'hostile');
  mkdirSync(folder);
  writeFileSync(join(folder, 'handler.mjs'), HANDLER);
  writeFileSync(join(folder, 'model-config.yaml'), `responseTimeout: 60\nhandler: ${JSON.stringify(wish())}\n`);
  const { text } = await server.manage('POST', '/models?url=hostile&handler=handler.mjs&initial_workers=1');
  expect(text).toContain('registered with 1 initial workers');
});

afterAll(async () => {
  trap.close();
  await server.dispose();
});

aftermath(() => server);

async function asked(body: object) {
  const { status, text } = await server.predict('hostile', { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });
  expect([status, text]).toEqual([200, expect.any(String)]);
  return JSON.parse(text);
}

describe('HH26 a hostile JavaScript handler in a process', () => {
  it('reads, writes, runs, signals and reaches nothing, neither in initialize nor in handle', async () => {
    const outcomes: Outcomes = await asked(wish());

    expectRefused(await asked({ do: 'report' }));
    expectRefused(outcomes);
    expect(visits).toBe(0);
    expect((await server.manage('GET', '/models/hostile')).status).toBe(200);
  });

  it('sees nothing of the server’s environment', async () => {
    const { names } = await asked({ do: 'environment' });

    expect(names).not.toContain('CANARY');
    expect(names).not.toContain('AWS_SECRET_ACCESS_KEY');
  });

  it('is described with what holds around it, and leaves nothing when it goes', async () => {
    const [described] = JSON.parse((await server.manage('GET', '/models/hostile?sandbox=true')).text);
    expect(described.workers[0].sandbox.held).toEqual(expect.arrayContaining(['calls', 'files', 'writes', 'network', 'exec', 'signals']));
    expect(processesOf('-hostile_1.0')).toHaveLength(1);

    await server.manage('DELETE', '/models/hostile');

    await server.eventually(async () => processesOf('-hostile_1.0').length === 0, 'nothing of it is left');
  });
});
