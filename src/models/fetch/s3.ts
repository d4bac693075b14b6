import { AwsV4Signer } from 'aws4fetch';
import { request } from 'undici';
import type { Fetcher, ListedFile, Resolver } from './fetcher.js';
import { httpFetcher, pinnedTo } from './http.js';
import type { FetchHosts } from './private-address.js';
import { type S3Credentials, s3Credentials } from './s3-credentials.js';

type Environment = Readonly<Record<string, string | undefined>>;

const PAGE_BYTES = 16 * 2 ** 20;
const MAX_PAGES = 20;

/**
 * Brings s3://bucket/key, and s3://bucket/prefix/ as a folder. Endpoint, region and credentials are those of the AWS tools' variables and files; an endpoint of the
 * operator's own is addressed by path. Without credentials requests go unsigned. https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */
export function s3Resolver(env: Environment, hosts: FetchHosts): Resolver {
  const endpoint = env.AWS_ENDPOINT_URL_S3 ?? env.AWS_ENDPOINT_URL;
  const region = env.AWS_REGION ?? env.AWS_DEFAULT_REGION ?? 'us-east-1';
  const sign = async (url: URL): Promise<Readonly<Record<string, string>>> => signedHeaders(url, await s3Credentials(env), region);
  const atEndpoint: Fetcher = httpFetcher({
    hosts,
    trusts: () => endpoint !== undefined,
    check: () => {
      throw new Error('a redirect');
    },
    sign,
  });
  return {
    fetch: (url, signal, resumption) => atEndpoint(objectUrl(url, endpoint, region), signal, resumption),
    list: async (url, signal) => {
      if (!url.pathname.endsWith('/')) return undefined;
      const prefix = decodeURIComponent(url.pathname.slice(1));
      const keys: ListedFile[] = [];
      let token: string | undefined;
      for (let page = 0; page < MAX_PAGES; page += 1) {
        const query = objectUrl(new URL(`s3://${url.hostname}/`), endpoint, region);
        query.search = new URLSearchParams({
          'list-type': '2',
          'encoding-type': 'url',
          prefix,
          ...(token === undefined ? {} : { 'continuation-token': token }),
        }).toString();
        const text = await textOf(query, await hosts.addressesOf(query.hostname, endpoint !== undefined), await sign(query), signal);
        for (const [, entry = ''] of text.matchAll(/<Contents>(.*?)<\/Contents>/gs)) {
          const key = decodeURIComponent((/<Key>(.*?)<\/Key>/s.exec(entry)?.[1] ?? '').replaceAll('+', ' '));
          if (key.endsWith('/')) continue;
          const size = /<Size>(\d+)<\/Size>/.exec(entry)?.[1];
          // Without it nothing would bound the transfer.
          if (size === undefined) throw new Error(`the list tells no size of ${key}`);
          const sizeBytes = Number(size);
          keys.push({ url: new URL(`s3://${url.hostname}/${key.split('/').map(encodeURIComponent).join('/')}`), path: key.slice(prefix.length), sizeBytes });
        }
        token = /<NextContinuationToken>(.*?)<\/NextContinuationToken>/s.exec(text)?.[1];
        if (token === undefined) return keys;
      }
      throw new Error('too many files');
    },
  };
}

/** Signs an https GET of S3's for `s3_sse_kms=true`, with the keys in the environment as TorchServe has it. Rejects without keys. */
export async function kmsHeaders(env: Environment, url: URL): Promise<Readonly<Record<string, string>>> {
  const credentials = await s3Credentials(env);
  if (credentials === undefined) throw new Error('s3_sse_kms needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY');
  return signedHeaders(url, credentials, env.AWS_DEFAULT_REGION ?? env.AWS_REGION ?? 'us-east-1');
}

async function signedHeaders(url: URL, credentials: S3Credentials | undefined, region: string): Promise<Readonly<Record<string, string>>> {
  if (credentials === undefined) return {};
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  const signer = new AwsV4Signer({
    url: url.href,
    method: 'GET',
    service: 's3',
    region,
    accessKeyId,
    secretAccessKey,
    ...(sessionToken === undefined ? {} : { sessionToken }),
  });
  const { headers } = await signer.sign();
  return Object.fromEntries([...headers].filter(([name]) => name !== 'host'));
}

/** Buckets with dots have no certificate of their own as host names. */
function objectUrl(url: URL, endpoint: string | undefined, region: string): URL {
  const bucket = url.hostname;
  if (endpoint !== undefined) return new URL(`${endpoint.replace(/\/$/, '')}/${bucket}${url.pathname}`);
  const host = `s3.${region}.amazonaws.com`;
  return new URL(bucket.includes('.') ? `https://${host}/${bucket}${url.pathname}` : `https://${bucket}.${host}${url.pathname}`);
}

async function textOf(url: URL, addresses: Parameters<typeof pinnedTo>[0], headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<string> {
  const dispatcher = pinnedTo(addresses);
  try {
    const answer = await request(url, { dispatcher, signal, headers });
    let text = '';
    for await (const chunk of answer.body) {
      text += String(chunk);
      if (text.length > PAGE_BYTES) throw new Error('the list is too long');
    }
    if (answer.statusCode !== 200) throw new Error(`the server answered ${answer.statusCode}`);
    return text;
  } finally {
    await dispatcher.destroy().catch(() => undefined);
  }
}
