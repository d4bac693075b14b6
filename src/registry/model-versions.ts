import { DefaultVersionInUse, DefaultVersionUnknown, ModelVersionNotFound, VersionExists } from '../errors/model.js';
import type { ServedVersion } from './served-version.js';

/** The versions of one name. The first one added is the default until another is set; the default leaves last. */
export class ModelVersions {
  readonly #versions = new Map<string, ServedVersion>();
  #defaultVersion: string | undefined;

  constructor(readonly name: string) {}

  get size(): number {
    return this.#versions.size;
  }

  get defaultVersion(): ServedVersion {
    return this.get(undefined);
  }

  /** Throws ModelVersionNotFound. */
  get(version: string | undefined): ServedVersion {
    const wanted = version ?? this.#defaultVersion ?? '';
    const found = this.#versions.get(wanted);
    if (found === undefined) throw ModelVersionNotFound({ model: this.name, version: wanted });
    return found;
  }

  all(): readonly ServedVersion[] {
    return [...this.#versions.values()];
  }

  /** Throws VersionExists. */
  add(version: ServedVersion): void {
    const key = version.model.version;
    if (this.#versions.has(key)) throw VersionExists({ model: this.name, version: key });
    this.#versions.set(key, version);
    this.#defaultVersion ??= key;
  }

  /** Throws DefaultVersionUnknown. */
  setDefault(version: string): void {
    if (!this.#versions.has(version)) throw DefaultVersionUnknown({ model: this.name, version });
    this.#defaultVersion = version;
  }

  /** Throws DefaultVersionInUse while other versions stand beside the default. */
  assertRemovable(version: ServedVersion): void {
    if (version.model.version === this.#defaultVersion && this.#versions.size > 1) throw DefaultVersionInUse({ model: this.name });
  }

  remove(version: ServedVersion): void {
    this.#versions.delete(version.model.version);
    if (version.model.version === this.#defaultVersion) this.#defaultVersion = undefined;
  }

  /** Puts a version back whose removal failed. */
  restore(version: ServedVersion): void {
    this.#versions.set(version.model.version, version);
    this.#defaultVersion ??= version.model.version;
  }
}
