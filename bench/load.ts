import autocannon from 'autocannon';

export interface LoadFigures {
  /** Answered well. */
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly failures: number;
}

export interface Load {
  readonly url: string;
  readonly body: string | Buffer;
  readonly contentType: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly connections: number;
  readonly seconds: number;
}

/** Closed-loop load on loopback: every connection sends its next request when it has its answer. */
export async function run(load: Load): Promise<LoadFigures> {
  const result = await autocannon({
    url: load.url,
    method: 'POST',
    body: load.body,
    headers: { ...load.headers, 'content-type': load.contentType },
    connections: load.connections,
    duration: load.seconds,
  });
  return {
    requests: result['2xx'],
    requestsPerSecond: result['2xx'] / result.duration,
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
    failures: result.non2xx + result.errors + result.timeouts,
  };
}

/** The run with the median throughput. */
export function median(runs: readonly LoadFigures[]): LoadFigures {
  const sorted = [...runs].sort((a, b) => a.requestsPerSecond - b.requestsPerSecond);
  const middle = sorted[Math.floor(sorted.length / 2)];
  if (middle === undefined) throw new Error('no run to take the median of');
  return middle;
}
