// Writes docs/configuration.md from the table of settings; `--check` compares instead, so that the page can't fall behind.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from './build.mjs';

const page = fileURLToPath(new URL('../docs/configuration.md', import.meta.url));
await build();
const { ALL_KEYS } = await import(new URL('../dist/config/keys.js', import.meta.url).href);

const HEAD = `<!-- Made by scripts/make-config-docs.mjs from src/config/keys.ts. -->
# Configuration

Settings come from four places, the later beating the earlier: defaults, the config file, the command line, and \`TS_*\` environment variables where the file says \`enable_envvars_config=true\`.

The file is the one that \`TS_CONFIG_FILE\` names, else \`--ts-config\`, else the newest [snapshot](snapshots.md) unless \`--ncs\`, else \`config.properties\` in the working directory. Exactly one is read. It is a Java properties file: \`=\`, \`:\` or a blank separates key and value, \`\\\` continues a line, \`#\` and \`!\` begin comments. \`$$NAME$$\` in a value is replaced by the environment variable NAME; where that isn't set, the server doesn't start.

\`sconce config\` prints every setting, its value and where it came from; \`sconce config --changed\` only what differs from the defaults. A wrong value stops the start with one line that names the key, the value and what is allowed. An unknown key is warned about, with the nearest one that exists.

Addresses are \`http://host:port\`, \`https://host:port\` or \`unix:/path\`; IPv6 hosts stand in brackets, as in \`http://[::1]:8080\`. With https and no key material the server makes a certificate of its own at start.

| key | default | allowed | environment | meaning |
| --- | --- | --- | --- | --- |
`;

const cell = (text) => String(text).replaceAll('|', '\\|').replaceAll('\n', ' ');
const rows = ALL_KEYS.map(([, { key, fallback, type, env, says, ignored }]) => {
  const meaning = ignored === undefined ? says : `${says} **Accepted and ignored**: ${ignored}.`;
  return `| \`${key}\` | ${fallback === undefined || fallback === '' ? '–' : `\`${cell(fallback)}\``} | ${cell(type.allowed)} | ${env === undefined ? '–' : `\`${env}\``} | ${cell(meaning)} |\n`;
});

const MODEL = `
## Per model: model-config.yaml

The front-end keys of TorchServe's model-config.yaml hold: \`minWorkers\`, \`maxWorkers\`, \`batchSize\`, \`maxBatchDelay\`, \`responseTimeout\`, \`startupTimeout\`, \`deviceType\`, \`deviceIds\`, \`maxRetryTimeoutInSec\`, \`clientTimeoutInMills\`, \`jobQueueSize\`, \`useVenv\`, and those of [sequences and streaming](sequences-and-streaming.md): \`sequenceBatching\`, \`sequenceMaxIdleMSec\`, \`sequenceTimeoutMSec\`, \`maxNumSequence\`, \`maxSequenceJobQueueSize\`, \`continuousBatching\`, \`asyncCommunication\`, \`useJobTicket\`. Time-outs that the file doesn't name leave those of the call and the server in force. Everything else in it reaches the handler untouched.

Sconce's own keys stand in a block of their own:

\`\`\`yaml
sconce:
  retryOnWorkerDeath: true   # try a request once more, alone, when its worker died under it
  recycle:                   # replace a worker, the new one ready before the old one leaves
    afterSeconds: 3600
    afterRequests: 100000
    memoryGrowthMb: 500      # above its size when it became ready
  threads: 4                 # threads of a Python worker's computations; else the cores are shared out
  intraOpThreads: 1          # threads of an ONNX session
  isolate: principal         # a batch holds requests of one caller alone; unset: of all who ask
  python: py312              # an interpreter out of sconce_pythons; see environments.md
  limits:                    # of each Python worker; only stricter than the server's
    memoryMb: 2000
    processes: 200           # and threads
    fileMb: 100
    openFiles: 1000
    logKbPerS: 100
  needs:                     # what the model can't do without; sconce_grants gives it, or it goes without
    network: true
    exec: true
\`\`\`

An ONNX model without \`batchSize\` and \`maxBatchDelay\` takes up to 8 waiting requests at once and waits for none; see [ONNX models](onnx.md).
`;

const text = HEAD + rows.join('') + MODEL;
if (!process.argv.includes('--check')) writeFileSync(page, text);
else if (readFileSync(page, 'utf8') !== text) {
  console.error('docs/configuration.md is not what the settings say; run: node scripts/make-config-docs.mjs');
  process.exit(1);
} else console.log('docs/configuration.md is current');
