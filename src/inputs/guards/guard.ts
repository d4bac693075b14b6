/** Judges texts. */
export interface Guard {
  readonly name: string;
  /** 0: harmless, 1: surely an attack. Rejects when it can't tell, and when `signal` ends it. */
  judge(texts: readonly string[], signal: AbortSignal): Promise<number>;
}
