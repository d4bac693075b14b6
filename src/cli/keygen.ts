import { generateKeyPairSync } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { SigningRefused } from '../errors/signature.js';

/** `sconce keygen`: writes NAME.key, which its owner alone may read, and NAME.pub. Writes over nothing. Throws SigningRefused. */
export function makeSigningKey(name: string): void {
  const taken = [`${name}.key`, `${name}.pub`].find((file) => existsSync(file));
  if (taken !== undefined) throw SigningRefused({ message: `${taken} is there already: a key that is lost cannot be made again.` });
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  writeFileSync(`${name}.key`, privateKey.export({ type: 'pkcs8', format: 'pem' }), { flag: 'wx', mode: 0o600 });
  writeFileSync(`${name}.pub`, publicKey.export({ type: 'spki', format: 'pem' }), { flag: 'wx', mode: 0o644 });
  process.stdout.write(
    `${name}.key: the private key; who has it signs as you do\n${name}.pub: the public key, for trust policies and \`sconce verify --key\`\n`,
  );
}
