// The process that bin/torchserve starts, with the options of TorchServe's own server process.
import { runServer } from './run-server.js';
import { flagSettings } from './server-flags.js';

const ONE: Readonly<Record<string, 'config' | 'python' | 'modelStore' | 'workflowStore' | 'cppLogConfig'>> = {
  '-f': 'config',
  '--ts-config-file': 'config',
  '-e': 'python',
  '--python': 'python',
  '-s': 'modelStore',
  '--model-store': 'modelStore',
  '-w': 'workflowStore',
  '--workflow-store': 'workflowStore',
  '-clog': 'cppLogConfig',
  '--cpp-log-config': 'cppLogConfig',
};
const NONE: Readonly<Record<string, 'disableTokenAuth' | 'enableModelApi' | 'noSnapshots'>> = {
  '-dt': 'disableTokenAuth',
  '--disable-token-auth': 'disableTokenAuth',
  '-mapi': 'enableModelApi',
  '--enable-model-api': 'enableModelApi',
  '-ncs': 'noSnapshots',
  '--no-config-snapshot': 'noSnapshots',
};

/** Reads the options; gives undefined for one that it doesn't know. */
function parse(args: readonly string[]) {
  const given: {
    config?: string;
    python?: string;
    modelStore?: string;
    workflowStore?: string;
    cppLogConfig?: string;
    models?: string[];
    set?: string[];
    disableTokenAuth?: boolean;
    enableModelApi?: boolean;
    noSnapshots?: boolean;
  } = {};
  const queue = [...args];
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    const one = ONE[word];
    const none = NONE[word];
    if (one !== undefined) given[one] = queue.shift() ?? '';
    else if (none !== undefined) given[none] = true;
    else if (word === '-m' || word === '--models') {
      given.models = [];
      while (queue[0] !== undefined && !queue[0].startsWith('-')) given.models.push(queue.shift() ?? '');
    } else if (word === '--set') given.set = [...(given.set ?? []), queue.shift() ?? ''];
    else return undefined;
  }
  return given;
}

const given = parse(process.argv.slice(2));
if (given === undefined) {
  process.stdout.write(
    'usage: server-process [-f FILE] [-e PYTHON] [-m MODEL...] [-s FOLDER] [-ncs] [-w FOLDER] [-clog FILE] [-dt] [-mapi] [--set KEY=VALUE]...\n',
  );
  process.exit(1);
}
const { config, python, set = [], noSnapshots, ...flags } = given;
const settings = flagSettings({ ...flags, set: python === undefined ? set : [...set, `python=${python}`] });
process.exit(await runServer(settings, config, { snapshots: noSnapshots !== true }));
