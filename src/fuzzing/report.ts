import type { CampaignResult, Finding } from './campaign.js';

/** What a report is about. */
export interface ReportFacts {
  readonly model: string;
  readonly seed: number;
  readonly startedAt: string;
  readonly durationMs: number;
  readonly isGuarded: boolean;
  /** Bytes of the model's workers before and after; undefined where the server doesn't tell. */
  readonly memoryBytes: readonly [number, number] | undefined;
  /** Workers that died meanwhile. */
  readonly crashes: number;
}

const SHOWN_BYTES = 4096;

/** The report as JSON: every finding with its whole input in base64. */
export function jsonReport(facts: ReportFacts, { findings, figures, slowestMs, cutShort }: CampaignResult): string {
  const report = {
    ...facts,
    requests: [...figures.values()].reduce((sum, { requests }) => sum + requests, 0),
    slowestMs: Math.round(slowestMs),
    cutShort,
    families: Object.fromEntries(figures),
    findings: findings.map(({ input, outcome, ...finding }) => ({
      ...finding,
      contentType: input.contentType,
      sizeBytes: input.body.byteLength,
      inputBase64: Buffer.from(input.body).toString('base64'),
      outcome,
    })),
  };
  return `${JSON.stringify(report, undefined, 2)}\n`;
}

/** The report as one page without scripts or anything from elsewhere. Whatever came from a model or went to it stands there as text. */
export function htmlReport(facts: ReportFacts, result: CampaignResult): string {
  const rows = [...result.figures].map(
    ([family, { requests, byStatus }]) =>
      `<tr><td>${family}</td><td>${requests}</td><td>${escaped(
        Object.entries(byStatus)
          .map(([status, count]) => `${status}: ${count}`)
          .join(', '),
      )}</td></tr>`,
  );
  const [before = 0, after = 0] = facts.memoryBytes ?? [];
  const memory = facts.memoryBytes === undefined ? 'not told' : `${mib(before)} before, ${mib(after)} after`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Fuzzing ${escaped(facts.model)}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; } td, th { text-align: left; padding: .2rem .8rem .2rem 0; vertical-align: top; }
pre { background: #f4f4f4; padding: .6rem; overflow-x: auto; white-space: pre-wrap; word-break: break-all; }
section { border-top: 1px solid #ccc; margin-top: 1.5rem; } .none { color: #060; } h2 { font-size: 1.1rem; }
</style>
</head>
<body>
<h1>${escaped(facts.model)}: ${result.findings.length === 0 ? 'nothing found' : `${result.findings.length} found`}</h1>
<table>
<tr><th>started</th><td>${escaped(facts.startedAt)}, ${Math.round(facts.durationMs / 1000)} s${result.cutShort === undefined ? '' : `, ended by the limit of ${result.cutShort}`}</td></tr>
<tr><th>seed</th><td>${facts.seed}</td></tr>
<tr><th>slowest answer</th><td>${Math.round(result.slowestMs)} ms</td></tr>
<tr><th>memory of the workers</th><td>${memory}</td></tr>
<tr><th>workers that died</th><td>${facts.crashes}</td></tr>
<tr><th>guards</th><td>${facts.isGuarded ? 'yes' : 'none: attacks that were answered are not counted'}</td></tr>
</table>
<table>
<tr><th>inputs</th><th>requests</th><th>answers</th></tr>
${rows.join('\n')}
</table>
${result.findings.map(section).join('\n')}
${result.findings.length === 0 ? '<p class="none">No crash, no time-out, no fault and no answer that is not finite.</p>' : ''}
</body>
</html>
`;
}

function section({ verdict, cause, family, input, outcome, shrinks }: Finding): string {
  const answer =
    outcome.kind === 'answered'
      ? `${outcome.status}${outcome.reason === undefined ? '' : ` (${outcome.reason})`}\n${outcome.body.slice(0, SHOWN_BYTES)}`
      : outcome.why;
  return `<section>
<h2>${escaped(verdict)}</h2>
<p>${escaped(cause)}. Inputs: ${family}; made smaller ${shrinks} times; ${input.body.byteLength} bytes of ${escaped(input.contentType || 'no type')}.</p>
<pre>${escaped(shown(input.body))}</pre>
<pre>${escaped(answer)}</pre>
</section>`;
}

/** Text where it is some, else hexadecimal. */
function shown(bytes: Uint8Array): string {
  const head = Buffer.from(bytes.subarray(0, SHOWN_BYTES));
  const text = head.toString();
  const isText = !text.includes('\ufffd') && !text.includes('\u0000');
  return `${isText ? text : head.toString('hex')}${bytes.byteLength > SHOWN_BYTES ? ' …' : ''}`;
}

function mib(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
