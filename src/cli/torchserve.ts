import { TORCHSERVE_VERSION } from '../version.js';
import { checkLaunch, namedConfig } from './launch-checks.js';
import { launchServer, refuseSecondServer } from './launch-server.js';
import { isAlive, recordedPid, removePidFile } from './pid-file.js';
import { stopServer } from './stop.js';
import { help, parseTorchServeArguments, type TorchServeArguments, UsageError, usage } from './torchserve-arguments.js';

/** The `torchserve` command: TorchServe's flags, messages, PID file and exit codes. */
export async function main(args: readonly string[]): Promise<number> {
  let wish: TorchServeArguments;
  try {
    wish = parseTorchServeArguments(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${usage()}\ntorchserve: error: ${error.message}\n`);
    return 2;
  }
  if (wish.help) {
    process.stdout.write(help());
    return 0;
  }
  removeOrphan();
  if (wish.version) {
    say(`TorchServe Version is ${TORCHSERVE_VERSION}`);
    return 0;
  }
  return wish.stop ? stopServer({ foreground: wish.foreground }) : start(wish);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The PID file is looked at before any flag, as TorchServe does. */
function removeOrphan(): void {
  const pid = recordedPid(process.env);
  if (pid === undefined || isAlive(pid)) return;
  say('Removing orphan pid file.');
  removePidFile(process.env);
}

async function start(wish: TorchServeArguments): Promise<number> {
  const second = refuseSecondServer(process.env);
  const { notes, refusal } = second === undefined ? checkLaunch(wish, process.env) : { notes: [], refusal: second };
  for (const note of notes) say(note);
  if (refusal !== undefined) {
    say(refusal);
    return 1;
  }
  return launchServer(serverArguments(wish), { foreground: wish.foreground });
}

function serverArguments(wish: TorchServeArguments): string[] {
  const option = (flag: string, value: string | undefined) => (value ? [flag, value] : []);
  return [
    ...option('-f', namedConfig(wish, process.env)),
    ...option('-s', wish.modelStore),
    ...option('-w', wish.workflowStore),
    ...option('-clog', wish.cppLogConfig),
    ...(wish.models.length === 0 ? [] : ['-m', ...wish.models]),
    ...(wish.noConfigSnapshots ? ['-ncs'] : []),
    ...(wish.disableTokenAuth ? ['-dt'] : []),
    ...(wish.enableModelApi ? ['-mapi'] : []),
  ];
}
