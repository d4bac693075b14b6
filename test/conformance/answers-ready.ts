const READY_WITHIN_MS = 60_000;

/** Resolves when an address answers 200. Rejects after a minute. */
export async function answers(url: string): Promise<void> {
  for (const endAtMs = Date.now() + READY_WITHIN_MS; ; await new Promise((resolve) => setTimeout(resolve, 100))) {
    const status = await fetch(url).then(
      (answer) => answer.status,
      () => 0,
    );
    if (status === 200) return;
    if (Date.now() > endAtMs) throw new Error(`${url} still answers ${status}`);
  }
}
