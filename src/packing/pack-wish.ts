export type ArchiveFormat = 'mar' | 'mar-store' | 'tgz' | 'folder';

/** What `sconce pack` is asked for. Paths are as the user typed them: meant from the folder, else from the working directory. */
export interface PackWish {
  readonly folder: string;
  /** Where the archive goes; `NAME.mar` in the working directory unless given. */
  readonly output: string | undefined;
  readonly format: ArchiveFormat | undefined;
  readonly force: boolean;
  readonly name: string | undefined;
  readonly version: string | undefined;
  readonly runtime: 'python' | 'python3' | 'LSP' | undefined;
  readonly handler: string | undefined;
  readonly serializedFile: string | undefined;
  readonly modelFile: string | undefined;
  readonly requirementsFile: string | undefined;
  readonly configFile: string | undefined;
  /** Files, folders (of which the contents) and wildcards, from the working directory. */
  readonly extraFiles: readonly string[];
  /** Patterns as in .sconceignore. */
  readonly exclude: readonly string[];
  /** Import the handler before packing it. */
  readonly check: boolean;
  /** Interpreter of the check; the server's unless given. */
  readonly python: string | undefined;
}
