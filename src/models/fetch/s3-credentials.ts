import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
}

/**
 * As the AWS tools find them: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY with AWS_SESSION_TOKEN, else the profile AWS_PROFILE (`default`) of the shared
 * credentials file. undefined: there are none. Instance roles are not asked: that would be a request to a metadata address.
 */
export async function s3Credentials(env: Readonly<Record<string, string | undefined>>): Promise<S3Credentials | undefined> {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: sessionToken } = env;
  if (accessKeyId && secretAccessKey) return { accessKeyId, secretAccessKey, sessionToken: sessionToken || undefined };
  const file = env.AWS_SHARED_CREDENTIALS_FILE ?? join(env.HOME ?? homedir(), '.aws', 'credentials');
  const text = await readFile(file, 'utf8').catch(() => '');
  const profile = profileOf(text, env.AWS_PROFILE ?? 'default');
  const [id, secret] = [profile.get('aws_access_key_id'), profile.get('aws_secret_access_key')];
  return id && secret ? { accessKeyId: id, secretAccessKey: secret, sessionToken: profile.get('aws_session_token') } : undefined;
}

function profileOf(text: string, name: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  let section = '';
  for (const line of text.split(/\r?\n/)) {
    const head = /^\s*\[([^\]]+)\]/.exec(line)?.[1];
    if (head !== undefined) section = head.trim();
    const [, key, value] = /^\s*([a-z_]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (section === name && key !== undefined && value !== undefined) found.set(key, value);
  }
  return found;
}
