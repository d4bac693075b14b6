/** Whose samples a page shows: of whatever a sample names, all must be shown. */
export interface ShownSamples {
  model(name: string): boolean;
  tenant(name: string): boolean;
  /** By the name `W-9000-mnist_1.0`, beside its model, which that name may leave open. */
  worker?(name: string): boolean;
  /** What names nothing of these, and so tells of all together. */
  readonly machine: boolean;
}
