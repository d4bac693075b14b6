import { Pool } from 'undici';
import type { Load, LoadFigures } from './load.js';

/** As `run`, with latencies that are told finer than by the millisecond; it takes more of the processor. */
export async function runFine({ url, body, contentType, connections, seconds }: Load): Promise<LoadFigures> {
  const { origin, pathname } = new URL(url);
  const pool = new Pool(origin, { connections, pipelining: 1 });
  const latenciesMs: number[] = [];
  let failures = 0;
  const startedAtMs = performance.now();
  const endAtMs = startedAtMs + seconds * 1000;
  const client = async (): Promise<void> => {
    while (performance.now() < endAtMs) {
      const sentAtMs = performance.now();
      const answer = await pool.request({ method: 'POST', path: pathname, body, headers: { 'content-type': contentType } });
      await answer.body.dump();
      if (answer.statusCode === 200) latenciesMs.push(performance.now() - sentAtMs);
      else failures += 1;
    }
  };
  await Promise.all(Array.from({ length: connections }, client));
  const tookS = (performance.now() - startedAtMs) / 1000;
  await pool.close();
  latenciesMs.sort((a, b) => a - b);
  const at = (share: number): number => latenciesMs[Math.floor(latenciesMs.length * share)] ?? Number.NaN;
  return { requests: latenciesMs.length, requestsPerSecond: latenciesMs.length / tookS, p50Ms: at(0.5), p99Ms: at(0.99), failures };
}
