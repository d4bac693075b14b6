import { DESCRIPTORS } from '../grpc-generated/descriptors.js';

type Descriptor = (typeof DESCRIPTORS)[number];

/** Finds .proto files by name and by what they declare, for the services that a port has. */
export class DescriptorIndex {
  readonly #byName: ReadonlyMap<string, Descriptor> = new Map(DESCRIPTORS.map((descriptor) => [descriptor.name, descriptor]));
  readonly #bySymbol = new Map<string, Descriptor>();

  /** `services` are full names. Files of other services are not found. */
  constructor(services: readonly string[]) {
    const own = DESCRIPTORS.filter(({ symbols }) => symbols.some((symbol) => services.includes(symbol)));
    for (const descriptor of own.flatMap((one) => this.#withImports(one))) for (const symbol of descriptor.symbols) this.#bySymbol.set(symbol, descriptor);
  }

  /** The file and all that it imports, as FileDescriptorProto bytes; undefined where there is none. */
  byFile(name: string): Uint8Array[] | undefined {
    const found = [...this.#bySymbol.values()].find((descriptor) => descriptor.name === name);
    return found && this.#bytesOf(found);
  }

  bySymbol(symbol: string): Uint8Array[] | undefined {
    const found = this.#bySymbol.get(symbol);
    return found && this.#bytesOf(found);
  }

  /** Whether a message is known, though none has extensions. */
  knows(symbol: string): boolean {
    return this.#bySymbol.has(symbol);
  }

  #bytesOf(descriptor: Descriptor): Uint8Array[] {
    return this.#withImports(descriptor).map(({ base64 }) => Buffer.from(base64, 'base64'));
  }

  #withImports(descriptor: Descriptor): Descriptor[] {
    const all = new Set([descriptor]);
    for (const { imports } of all) {
      for (const name of imports) {
        const imported = this.#byName.get(name);
        if (imported !== undefined) all.add(imported);
      }
    }
    return [...all];
  }
}
