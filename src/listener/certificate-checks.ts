import { X509Certificate } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { createSecureContext, type SecureContextOptions } from 'node:tls';

/** The certificate that a secure context shows; undefined where Node doesn't tell. */
export function certificateOf(options: SecureContextOptions): X509Certificate | undefined {
  const { context } = createSecureContext(options);
  const bytes: unknown = hasCertificate(context) ? context.getCertificate() : undefined;
  return bytes instanceof Uint8Array ? new X509Certificate(bytes) : undefined;
}

function hasCertificate(context: unknown): context is { getCertificate(): unknown } {
  return typeof context === 'object' && context !== null && 'getCertificate' in context && typeof context.getCertificate === 'function';
}

/** The files among these that others than their owner may read. */
export async function readableByOthers(files: readonly string[]): Promise<readonly string[]> {
  const modes = await Promise.all(
    files.map((file) =>
      stat(file).then(
        ({ mode }) => mode,
        () => 0,
      ),
    ),
  );
  return files.filter((_, index) => ((modes[index] ?? 0) & 0o044) !== 0);
}
