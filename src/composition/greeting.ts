import type { TokenGate } from '../admission/token-gate.js';
import type { Settings } from '../config/settings.js';

/** How an API is reached from this machine: `curl` with its options, and the address. */
export interface CurlTo {
  readonly curl: string;
  readonly address: string;
}

/** To the inference API, which listens on `port`; undefined: on that of the settings. */
export function curlTo({ inferenceAddress }: Settings, port: number | undefined): CurlTo {
  if (inferenceAddress.kind === 'unix') return { curl: `curl --unix-socket ${inferenceAddress.path}`, address: 'http://localhost' };
  const host = ['0.0.0.0', '::'].includes(inferenceAddress.host) ? '127.0.0.1' : inferenceAddress.host;
  const shown = host.includes(':') ? `[${host}]` : host;
  const curl = inferenceAddress.scheme === 'https' ? 'curl --insecure' : 'curl';
  return { curl, address: `${inferenceAddress.scheme}://${shown}:${port ?? inferenceAddress.port}` };
}

/** Where the keys are, and a line to paste for the first 200. */
export function greet(tokens: TokenGate, { curl, address }: CurlTo, print: (line: string) => void): void {
  const header = tokens.disabled ? '' : ` -H 'Authorization: Bearer ${tokens.inferenceKey}'`;
  if (!tokens.disabled) print(`Tokens are on; the keys are in ${tokens.keyFile}. Try:`);
  print(`${curl}${header} ${address}/ping`);
}
