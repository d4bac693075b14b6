/** Something that will not work as it is. `message` is one line and ends with the cure. */
export interface Finding {
  /** Stable, for scripts: `requirements-unpinned`. */
  readonly code: string;
  readonly message: string;
}
